import type { SeriesOf } from "../../domain/metrics.ts";

type Counter = SeriesOf<"counter">;

/** Counts of what happened, by the series that reports them. A count only grows. */
export class Counters {
  readonly #counts = new Map<Counter, number>();

  add(name: Counter, count = 1): void {
    this.#counts.set(name, this.get(name) + count);
  }

  /** 0 for what never happened. */
  get(name: Counter): number {
    return this.#counts.get(name) ?? 0;
  }

  /** All counts above 0. */
  entries(): IterableIterator<[Counter, number]> {
    return this.#counts.entries();
  }
}
