import type { SeriesOf } from "../../domain/metrics.ts";

type Counter = SeriesOf<"counter">;

/** Counts of what happened, by the series that reports them. A count only grows. */
export class Counters {
  /** Boxed: a count in the map itself would be looked up twice. */
  readonly #counts = new Map<Counter, { count: number }>();

  add(name: Counter, count = 1): void {
    const box = this.#counts.get(name);
    if (box) box.count += count;
    else this.#counts.set(name, { count });
  }

  /** 0 for what never happened. */
  get(name: Counter): number {
    return this.#counts.get(name)?.count ?? 0;
  }

  /** All counts above 0. */
  *entries(): IterableIterator<[Counter, number]> {
    for (const [name, { count }] of this.#counts) yield [name, count];
  }
}
