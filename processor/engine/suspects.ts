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

/** Records of a life that follows one without a commit: those on which the process may have died. */
export class Suspects {
  readonly #before: Attempt | null;
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
    const before = this.#before;
    const died = before !== null && from >= before.from && from < before.to;
    const count = died ? 1 : offsets.length;
    return { count, attempt: { from, to: offsets[count - 1]! + 1, deaths: died ? before.deaths + 1 : 1 } };
  }

  /** The records below `nextOffset` are committed. */
  passed(nextOffset: number): void {
    this.#done = this.#before === null || nextOffset >= this.#before.to;
  }
}
