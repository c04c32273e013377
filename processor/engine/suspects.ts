import type { Attempt } from "./ports.ts";

/**
 * Lets one task of a process at a time step records on which the process may have died. A death then tells which
 * partition it was: only the task that has the turn has an attempt in its log without a commit behind it.
 */
export class Turns {
  #last: Promise<void> = Promise.resolve();

  /** Waits for the turn. @returns Ends it. */
  async take(): Promise<() => void> {
    const before = this.#last;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#last = promise;
    await before;
    return resolve;
  }
}

/** Records that a life may have stepped before its first commit, and more. */
const SUSPECT_RECORDS = 10_000;

/** Records of a life that follows one without a commit: those on which the process may have died. */
export class Suspects {
  readonly #before: Attempt | null;
  /** Offset from which on records are not suspect; null before the first. */
  #until: number | null = null;
  #done = false;

  /** @param before What the life before attempted; null when it died before any attempt. */
  constructor(before: Attempt | null) {
    this.#before = before;
  }

  /** Whether no record is suspect any more. */
  get isDone(): boolean {
    return this.#done;
  }

  /**
   * What to attempt next of records that were read: one record where an attempt of several died, else all of them.
   *
   * @param offsets Of the records, ascending, at least one.
   */
  next(offsets: readonly number[]): { readonly attempt: Attempt; readonly count: number } {
    const from = offsets[0]!;
    this.#until ??= from + SUSPECT_RECORDS;
    const before = this.#before;
    const died = before !== null && from >= before.from && from < before.to;
    const count = died ? 1 : offsets.length;
    return { count, attempt: { from, to: offsets[count - 1]! + 1, deaths: died ? before.deaths + 1 : 1 } };
  }

  /** The records below `nextOffset` are committed; `lag` more are in the log. */
  passed(nextOffset: number, lag: number): void {
    if (this.#before !== null && nextOffset < this.#before.to) return;
    this.#done = lag === 0 || nextOffset >= (this.#until ?? Infinity);
  }
}
