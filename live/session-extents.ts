import type { SessionRecord } from "../domain/records.ts";
import type { EpochMs, Milliseconds, TimeInterval } from "../domain/time.ts";

/** Number of sessions whose last known sample is remembered, at most. */
export const REMEMBERED_SESSIONS = 10_000;

/**
 * Says which of a sensor's data is within a session: from the session's start until two samples are further apart than
 * the gap.
 *
 * The last sample is known from the session's `ended` record, or from the samples themselves. The end of a session that
 * ended before this process started is not known: then everything after its start counts, until a gap.
 */
export class SessionExtents {
  readonly #gapMs: Milliseconds;
  readonly #last = new Map<string, EpochMs>();

  constructor(gapMs: Milliseconds) {
    this.#gapMs = gapMs;
  }

  /** Takes in where a session ended. */
  learn(record: SessionRecord): void {
    if (record.type === "ended") this.#advance(record.sessionId, record.end);
  }

  /** The rows [from, to) of a message that are within the session; equal when there are none. */
  rows(sessionId: string, start: EpochMs, t: ArrayLike<EpochMs>): { readonly from: number; readonly to: number } {
    let from = 0;
    while (from < t.length && t[from]! < start) from++;
    let last = this.#last.get(sessionId);
    let to = from;
    while (to < t.length && (last === undefined || t[to]! <= last + this.#gapMs))
      last = Math.max(last ?? t[to]!, t[to++]!);
    if (to > from) this.#advance(sessionId, last!);
    return { from, to };
  }

  /** Whether an interval of event time overlaps the session. */
  overlaps(sessionId: string, start: EpochMs, interval: TimeInterval): boolean {
    const last = this.#last.get(sessionId);
    return interval.end > start && (last === undefined || interval.start <= last + this.#gapMs);
  }

  #advance(sessionId: string, last: EpochMs): void {
    const known = this.#last.get(sessionId) ?? last;
    this.#last.delete(sessionId);
    this.#last.set(sessionId, Math.max(known, last));
    if (this.#last.size > REMEMBERED_SESSIONS) this.#last.delete(this.#last.keys().next().value!);
  }
}
