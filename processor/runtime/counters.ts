import type { MetricOf } from "../../domain/metrics.ts";

type CounterName = MetricOf<"counter">;

/** Counts of what happened, by the name of the metric that reports them. A count only grows. */
export class Counters {
  readonly #counts = new Map<CounterName, number>();

  add(name: CounterName, count = 1): void {
    this.#counts.set(name, this.get(name) + count);
  }

  /** 0 for what never happened. */
  get(name: CounterName): number {
    return this.#counts.get(name) ?? 0;
  }

  /** All counts above 0. */
  entries(): IterableIterator<[CounterName, number]> {
    return this.#counts.entries();
  }
}
