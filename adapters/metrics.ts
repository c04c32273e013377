import type { MetricName, MetricOf } from "../domain/metrics.ts";
import { Timings, type Percentiles } from "./timings.ts";

/** A timing as `GET /metrics` gives it: the number of all, and percentiles of the last 4,096 in milliseconds. */
export type TimingSnapshot = Percentiles & { readonly count: number };

/** The metrics of one program, in memory. `startHealthServer` serves them as `GET /metrics`. */
export class Metrics {
  readonly #values = new Map<MetricName, number>();
  readonly #timings = new Map<MetricName, Timings>();

  /** Adds to a counter, which starts at 0. */
  add(name: MetricOf<"counter">, amount = 1): void {
    this.#values.set(name, (this.#values.get(name) ?? 0) + amount);
  }

  /** Sets a gauge. */
  set(name: MetricOf<"gauge">, value: number): void {
    this.#values.set(name, value);
  }

  /** Records one duration. */
  time(name: MetricOf<"timing">, milliseconds: number): void {
    let timings = this.#timings.get(name);
    if (!timings) this.#timings.set(name, (timings = new Timings()));
    timings.add(milliseconds);
  }

  /** Counters and gauges as numbers, timings as `{count, p50, p95, p99}`. */
  snapshot(): Record<string, number | TimingSnapshot> {
    const result: Record<string, number | TimingSnapshot> = Object.fromEntries(this.#values);
    for (const [name, timings] of this.#timings) result[name] = { count: timings.count, ...timings.percentiles() };
    return result;
  }
}
