/** An item of a state. A snapshot generation holds its newest encoding. */
export interface Stamped {
  /** Generation of its newest encoding; -1 when it has none. */
  generation: number;
  /** Whether it differs from that encoding. */
  changed: boolean;
}

/** Counts the items whose newest encoding each generation holds. A generation that holds none need not be kept. */
export class Generations {
  readonly #live = new Map<number, number>();

  /** Notes that a generation holds the newest encoding of an item. */
  stamp(item: Stamped, generation: number): void {
    this.move(item.generation, generation);
    item.generation = generation;
    item.changed = false;
  }

  /** Takes out an item that is gone. */
  forget(item: Stamped): void {
    this.move(item.generation, -1);
    item.generation = -1;
  }

  /** Moves one item's newest encoding from one generation to another; -1 stands for none. */
  move(from: number, to: number): void {
    if (from >= 0) {
      const left = this.#live.get(from)! - 1;
      if (left === 0) this.#live.delete(from);
      else this.#live.set(from, left);
    }
    if (to >= 0) this.#live.set(to, (this.#live.get(to) ?? 0) + 1);
  }

  /** Generations that hold an item, ascending. */
  live(): number[] {
    return [...this.#live.keys()].sort((a, b) => a - b);
  }
}
