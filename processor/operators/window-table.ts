import type { EpochMs } from "../../domain/time.ts";

/** A row holds these doubles. The start of the window: */
export const START = 0;
/** Rows of messages folded into it. */
export const COUNT = 1;
/** How often the window has fired. */
export const FIRED = 2;
/** 1 when it has changed since it fired, and waits to fire. */
export const DUE = 3;
/** 1 when it differs from its newest encoding. */
export const CHANGED = 4;
/** Generation of its newest encoding; -1 when it has none. */
export const GENERATION = 5;
/** Where its accumulator begins; the accumulator means nothing while the count is 0. */
export const ACCUMULATOR = 6;

/** A chunk of memory holds 2^11 rows. */
const CHUNK_BITS = 11;
const PER_CHUNK = 2 ** CHUNK_BITS;

/**
 * The windows of all keys: each is a row of doubles in a large chunk of memory, so a window costs no object and no
 * array. Rows of windows that are gone are used again. A row is named by its number; its doubles are those of
 * `chunk(row)` from `at(row)` on.
 */
export class WindowTable {
  readonly #width: number;
  readonly #chunks: Float64Array[] = [];
  readonly #free: number[] = [];

  /** `size`: doubles of an accumulator. */
  constructor(size: number) {
    this.#width = ACCUMULATOR + size;
  }

  chunk(row: number): Float64Array {
    return this.#chunks[row >> CHUNK_BITS]!;
  }

  at(row: number): number {
    return (row & (PER_CHUNK - 1)) * this.#width;
  }

  start(row: number): EpochMs {
    return this.chunk(row)[this.at(row) + START]!;
  }

  /** A row for a new window. */
  take(start: EpochMs): number {
    if (this.#free.length === 0) this.#extend();
    const row = this.#free.pop()!;
    const chunk = this.chunk(row);
    const at = this.at(row);
    chunk.fill(0, at, at + ACCUMULATOR);
    chunk[at + START] = start;
    chunk[at + GENERATION] = -1;
    return row;
  }

  giveBack(row: number): void {
    this.#free.push(row);
  }

  #extend(): void {
    const first = this.#chunks.length * PER_CHUNK;
    this.#chunks.push(new Float64Array(PER_CHUNK * this.#width));
    for (let row = first + PER_CHUNK - 1; row >= first; row--) this.#free.push(row);
  }

  /**
   * Position of the first of `rows` that starts at or after `start`. `rows` are sorted by start; the newest ones are
   * looked at first.
   */
  lowerBound(rows: readonly number[], start: EpochMs): number {
    let high = rows.length;
    if (high === 0 || this.start(rows[high - 1]!) < start) return high;
    let low = high > 2 && this.start(rows[high - 2]!) < start ? high - 1 : 0;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.start(rows[middle]!) < start) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Puts a row among `rows`, which are sorted by start. */
  insert(rows: number[], row: number): void {
    const at = this.lowerBound(rows, this.start(row));
    if (at === rows.length) rows.push(row);
    else rows.splice(at, 0, row);
  }
}
