import { firstPartitionMs } from "../../domain/tables.ts";
import { DAY, HOUR, type EpochMs } from "../../domain/time.ts";

/** The times whose partitions Athena's projection reaches, inclusive. */
export interface Reach {
  readonly earliestMs: EpochMs;
  readonly latestMs: EpochMs;
}

/** What the projection reaches at `nowMs`: from the past guard's earliest time to a day ahead (`projectedDates`). */
export function reachAt(nowMs: EpochMs, earliestMs: EpochMs): Reach {
  return { earliestMs: firstPartitionMs(earliestMs), latestMs: nowMs + DAY };
}

/**
 * The partition of a time, in UTC. A time that the projection does not reach is moved to its nearest end: a window
 * begins before the earliest reading that it may hold, and a producer may stamp its records as it likes.
 */
export function partition(ms: EpochMs, { earliestMs, latestMs }: Reach): { dt: string; hour: string } {
  const hour = Math.floor(Math.max(Math.min(ms, latestMs), earliestMs) / HOUR);
  if (hour !== last.hour) {
    const iso = new Date(hour * HOUR).toISOString();
    last = { hour, partition: { dt: iso.slice(0, 10), hour: iso.slice(11, 13) } };
  }
  return last.partition;
}

/** The partition that was asked for last: most rows of an event share it. */
let last = { hour: NaN, partition: { dt: "", hour: "" } };
