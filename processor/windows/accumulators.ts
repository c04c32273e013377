/** Accumulators in a chunk of memory. */
const PER_CHUNK = 1_024;

/** A place for one accumulator: `size` doubles of `chunk` from `at`. */
export interface Place {
  readonly chunk: Float64Array;
  readonly at: number;
}

/** Hands out accumulators of one size from large chunks, and takes them back: a window costs no array of its own. */
export class Accumulators {
  readonly #size: number;
  readonly #free: Place[] = [];

  constructor(size: number) {
    this.#size = size;
  }

  take(): Place {
    if (this.#free.length === 0) {
      const chunk = new Float64Array(PER_CHUNK * this.#size);
      for (let slot = PER_CHUNK - 1; slot >= 0; slot--) this.#free.push({ chunk, at: slot * this.#size });
    }
    return this.#free.pop()!;
  }

  giveBack(place: Place): void {
    this.#free.push(place);
  }
}
