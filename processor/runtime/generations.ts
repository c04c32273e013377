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
    this.move(item.generation, generation);
    item.generation = generation;
    item.changed = false;
  }

  /** The item is gone. */
  forget(item: Stamped): void {
    this.move(item.generation, -1);
    item.generation = -1;
  }

  /** One item's newest encoding stands in another generation than before; -1 is none. */
  move(from: number, to: number): void {
    if (from >= 0) {
      const left = this.#live.get(from)! - 1;
      if (left === 0) this.#live.delete(from);
      else this.#live.set(from, left);
    }
    if (to >= 0) this.#live.set(to, (this.#live.get(to) ?? 0) + 1);
  }

  /** Ascending. */
  live(): number[] {
    return [...this.#live.keys()].sort((a, b) => a - b);
  }
}
