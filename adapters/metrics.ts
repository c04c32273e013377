import type { MetricName, MetricOf } from "../domain/metrics.ts";

/** Number of timings kept per metric: enough for percentiles of the recent past. */
const TIMINGS_KEPT = 4_096;

/** The metrics of one program, in memory. `startHealthServer` serves them as `GET /metrics`. */
export class Metrics {
  readonly #values = new Map<MetricName, number>();
  readonly #timings = new Map<MetricName, { values: Float64Array; next: number; count: number }>();

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
    let ring = this.#timings.get(name);
    if (!ring) this.#timings.set(name, (ring = { values: new Float64Array(TIMINGS_KEPT), next: 0, count: 0 }));
    ring.values[ring.next] = milliseconds;
    ring.next = (ring.next + 1) % TIMINGS_KEPT;
    ring.count++;
  }

  /**
   * Counters and gauges as numbers, timings as `{count, p50, p99}`: the number of all, and percentiles of the last
   * 4,096 in milliseconds.
   */
  snapshot(): Record<string, number | { count: number; p50: number; p99: number }> {
    const result: Record<string, number | { count: number; p50: number; p99: number }> = Object.fromEntries(
      this.#values,
    );
    for (const [name, ring] of this.#timings) {
      const sorted = ring.values.slice(0, Math.min(ring.count, TIMINGS_KEPT)).sort();
      const at = (q: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? 0;
      result[name] = { count: ring.count, p50: at(0.5), p99: at(0.99) };
    }
    return result;
  }
}
