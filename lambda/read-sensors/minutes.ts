import type { EpochMs } from "../../domain/time.ts";
import { startOf, WINDOWS_MS, type SensorDocument } from "../shared/documents.ts";

/** Minutes of the first read of a page (each read has twice as many, up to the most), and documents of all reads. */
export const DOCUMENTS = { first: 4, mostOfRead: 128, mostOfPage: 4_096 } as const;

/** A minute in which windows of operators may start. */
export interface Minute {
  readonly start: EpochMs;
  readonly operators: readonly string[];
}

/**
 * The minutes in which windows that start in [oldest, newest] may be, newest first.
 *
 * @param lastSeen Of the sensor: no window starts later. The rest of its newest hour has no documents. A page that
 *   asked for them grew its reads for nothing, and then read the whole hour before.
 */
export function* minutesDown(
  { hours, lastSeen }: Required<Pick<SensorDocument, "hours" | "lastSeen">>,
  { newest, oldest }: { readonly newest: EpochMs; readonly oldest: (operator: string) => EpochMs },
  nowMs: EpochMs,
): Generator<Minute> {
  const last = Math.min(newest, lastSeen);
  const byHour = new Map<EpochMs, string[]>();
  for (const [operator, ofOperator] of Object.entries(hours))
    for (const [hour, expireAt] of Object.entries(ofOperator))
      if (expireAt.getTime() > nowMs) byHour.set(Number(hour), [...(byHour.get(Number(hour)) ?? []), operator]);
  for (const [hour, operators] of [...byHour].toSorted(([a], [b]) => b - a)) {
    for (let start = hour + WINDOWS_MS.index - WINDOWS_MS.document; start >= hour; start -= WINDOWS_MS.document) {
      if (start > last) continue;
      const wanted = operators.filter((name) => start >= startOf(oldest(name), WINDOWS_MS.document));
      if (wanted.length > 0) yield { start, operators: wanted };
    }
  }
}
