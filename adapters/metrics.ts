import { seriesParts, type Series, type SeriesOf } from "../domain/metrics.ts";
import { SECOND } from "../domain/time.ts";
import { Buckets } from "./buckets.ts";
import { prometheusText } from "./prometheus.ts";
import { Timings, type Percentiles } from "./timings.ts";

/** How far back percentiles reach: what is over no longer counts. */
const RECENT_MS = 60 * SECOND;

/** A timing as JSON: the number of all, and percentiles of the last minute's newest 4,096 in milliseconds. */
export type TimingSnapshot = Percentiles & { readonly count: number };

/** The metrics of one program, in memory. `startHealthServer` serves them as `GET /metrics`. */
export class Metrics {
  readonly #values = new Map<Series, number>();
  readonly #observed = new Map<Series, () => number | undefined>();
  readonly #timings = new Map<Series, { readonly recent: Timings; readonly buckets: Buckets }>();
  readonly #program: string | undefined;

  /** `program`: label of what Prometheus reads. */
  constructor(program?: string) {
    this.#program = program;
  }

  /** Adds to a counter, which starts at 0. */
  add(series: SeriesOf<"counter">, amount = 1): void {
    this.#values.set(series, (this.#values.get(series) ?? 0) + amount);
  }

  /** Sets a gauge. */
  set(series: SeriesOf<"gauge">, value: number): void {
    this.#values.set(series, value);
  }

  /** A counter or gauge that is read when it is wanted. `read` gives undefined while there is no value. */
  observe(series: SeriesOf<"counter" | "gauge">, read: () => number | undefined): void {
    this.#observed.set(series, read);
  }

  /** Records one duration. */
  time(series: SeriesOf<"timing">, milliseconds: number): void {
    let timings = this.#timings.get(series);
    if (!timings) this.#timings.set(series, (timings = { recent: new Timings(RECENT_MS), buckets: new Buckets() }));
    timings.recent.add(milliseconds);
    timings.buckets.add(milliseconds);
  }

  /** Counters and gauges that have a value. */
  values(): [Series, number][] {
    const observed = [...this.#observed].map(([series, read]): [Series, number | undefined] => [series, read()]);
    return [...this.#values, ...observed.filter((each): each is [Series, number] => each[1] !== undefined)];
  }

  /** Timings that have a value. */
  timings(): [Series, Timings][] {
    return [...this.#timings].map(([series, { recent }]) => [series, recent]);
  }

  /**
   * Counters and gauges as numbers, timings as `{count, p50, p95, p99}`. A metric with a label has its sum under its
   * name, and each value under its series, such as `processor.dead-letters{code="invalid-json"}`.
   */
  snapshot(): Record<string, number | TimingSnapshot> {
    const result: Record<string, number | TimingSnapshot> = {};
    for (const [series, value] of this.values()) {
      const { name, label } = seriesParts(series);
      result[series] = value;
      if (label) result[name] = ((result[name] as number | undefined) ?? 0) + value;
    }
    for (const [name, { recent }] of this.#timings) result[name] = { count: recent.count, ...recent.percentiles() };
    return result;
  }

  /** All in Prometheus' text format; timings as histograms. */
  async prometheus(): Promise<string> {
    const timings = [...this.#timings].map(([series, { buckets }]) => [series, buckets] as const);
    return await prometheusText(this.#program, this.values(), timings);
  }
}
