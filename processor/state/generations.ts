/** Something whose newest encoding stands in a snapshot generation. */
export interface Stamped {
  /** Generation of its newest encoding; -1 when it has none. */
  generation: number;
  /** Whether it differs from that encoding. */
  changed: boolean;
}

/** How many items have their newest encoding in each generation: a generation without any need not be kept. */
export class Generations {
  readonly #live = new Map<number, number>();

  stamp(item: Stamped, generation: number): void {
    this.forget(item);
    item.generation = generation;
    item.changed = false;
    this.#live.set(generation, (this.#live.get(generation) ?? 0) + 1);
  }

  /** The item is gone. */
  forget(item: Stamped): void {
    if (item.generation < 0) return;
    const left = this.#live.get(item.generation)! - 1;
    if (left === 0) this.#live.delete(item.generation);
    else this.#live.set(item.generation, left);
    item.generation = -1;
  }

  /** Ascending. */
  live(): number[] {
    return [...this.#live.keys()].sort((a, b) => a - b);
  }
}
