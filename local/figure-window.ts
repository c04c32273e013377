import type { Figure } from "../domain/alarm-spec.ts";
import type { MetricName, Series } from "../domain/metrics.ts";
import { processorPrograms, type PipelineName } from "../domain/pipelines.ts";
import { SECOND, type EpochMs, type Milliseconds } from "../domain/time.ts";
import { isTiming, type CounterTotals, type MetricsSnapshot } from "./counter-totals.ts";

/** The programs' metrics at one moment, without those of programs that did not answer. */
export interface Readings {
  readonly snapshots: ReadonlyMap<string, MetricsSnapshot>;
  readonly totals: CounterTotals;
}

/** Points that a window keeps of its period. */
const POINTS = 60;

/** A figure over the period that ends now. */
export class FigureWindow {
  readonly #figure: Figure;
  readonly #pipeline: PipelineName | undefined;
  readonly #periodMs: Milliseconds;
  readonly #startedMs: EpochMs;
  /** Of the period, and the newest one before it, from which growth is counted. */
  #points: { readonly atMs: EpochMs; readonly values: readonly number[] }[] = [];

  /** @param pipeline Whose processor a processor's metrics are read from; all of them where it is undefined */
  constructor(figure: Figure, pipeline: PipelineName | undefined, periodMs: Milliseconds, nowMs: EpochMs) {
    this.#figure = figure;
    this.#pipeline = pipeline;
    this.#periodMs = periodMs;
    this.#startedMs = nowMs;
  }

  /** Whether a whole period has been watched. */
  isFull(nowMs: EpochMs): boolean {
    return nowMs - this.#startedMs >= this.#periodMs;
  }

  add(readings: Readings, nowMs: EpochMs): void {
    const spacingMs = Math.max(SECOND / 2, this.#periodMs / POINTS);
    const newest = this.#points.at(-1);
    const values = this.#read(readings);
    if (values !== null && (!newest || nowMs - newest.atMs >= spacingMs)) this.#points.push({ atMs: nowMs, values });
    const first = this.#points.findLastIndex(({ atMs }) => atMs <= nowMs - this.#periodMs);
    if (first > 0) this.#points = this.#points.slice(first);
  }

  /** Null where nothing was measured in the period. */
  value(nowMs: EpochMs): number | null {
    const first = this.#points[0];
    const last = this.#points.at(-1);
    if (!first || !last) return null;
    const growth = (i: number): number => last.values[i]! - first.values[i]!;
    const figure = this.#figure;
    switch (figure.of) {
      case "growth":
        return growth(0);
      case "share":
        return growth(1) > 0 ? (100 * growth(0)) / growth(1) : null;
      case "p99":
        return growth(1) > 0 ? last.values[0]! : null;
      case "gauge": {
        const values = this.#points.filter(({ atMs }) => atMs > nowMs - this.#periodMs).map(({ values: [v] }) => v!);
        if (values.length === 0) return null;
        if (figure.statistic === "Maximum") return Math.max(...values);
        // What was not watched for a whole period may have been lower.
        return this.isFull(nowMs) ? Math.min(...values) : null;
      }
    }
  }

  #read({ snapshots, totals }: Readings): readonly number[] | null {
    if (snapshots.size === 0) return null;
    const figure = this.#figure;
    switch (figure.of) {
      case "growth":
        return [figure.counters.reduce((sum, name) => sum + totals.total(name, this.#programOf(name)), 0)];
      case "share":
        return [figure.part, figure.whole].map((name) => totals.total(name, this.#programOf(name)));
      case "gauge": {
        const values = this.#values(figure.gauge, snapshots).filter((value) => typeof value === "number");
        return values.length === 0 ? null : [Math.max(...values)];
      }
      case "p99": {
        const values = this.#values(figure.timing, snapshots).filter(isTiming);
        const count = totals.total(figure.timing, this.#programOf(figure.timing));
        return values.length === 0 ? null : [Math.max(...values.map(({ p99 }) => p99)), count];
      }
    }
  }

  /** The program of the pipeline, for a metric of processors. */
  #programOf(name: MetricName | Series): string | undefined {
    return this.#pipeline && name.startsWith("processor.") ? processorPrograms[this.#pipeline] : undefined;
  }

  #values(name: MetricName | Series, snapshots: ReadonlyMap<string, MetricsSnapshot>): unknown[] {
    const only = this.#programOf(name);
    return [...snapshots].flatMap(([program, snapshot]) =>
      only === undefined || only === program ? [snapshot[name]] : [],
    );
  }
}
