import { firstPartitionMs } from "../../domain/tables.ts";
import { DAY, type EpochMs } from "../../domain/time.ts";

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
  const iso = new Date(Math.max(Math.min(ms, latestMs), earliestMs)).toISOString();
  return { dt: iso.slice(0, 10), hour: iso.slice(11, 13) };
}
