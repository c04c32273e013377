import { Timings } from "../../adapters/timings.ts";
import { metrics, seriesParts, type Series, type SeriesOf } from "../../domain/metrics.ts";
import type { EpochMs } from "../../domain/time.ts";

/** Values of one metric in a line of the embedded metric format, at most. */
const MAX_VALUES = 100;
/** CloudWatch namespace of every metric of `domain/metrics.ts`. */
const NAMESPACE = "Millrace";

/**
 * Metrics of a function as lines of CloudWatch's embedded metric format: CloudWatch takes them from the function's log,
 * so that the function needs no permission and no call.
 */
export class EmbeddedMetrics {
  readonly #dimensions: Readonly<Record<string, string>>;
  readonly #counters = new Map<Series, number>();
  readonly #gauges = new Map<Series, number>();
  readonly #observed = new Map<Series, () => number | undefined>();
  readonly #timings = new Map<Series, Timings>();

  /** `dimensions`: of all metrics, such as environment and program. */
  constructor(dimensions: Readonly<Record<string, string>>) {
    this.#dimensions = dimensions;
  }

  add(name: SeriesOf<"counter">, amount = 1): void {
    this.#counters.set(name, (this.#counters.get(name) ?? 0) + amount);
  }

  set(name: SeriesOf<"gauge">, value: number): void {
    this.#gauges.set(name, value);
  }

  time(name: SeriesOf<"timing">, milliseconds: number): void {
    let timings = this.#timings.get(name);
    if (!timings) this.#timings.set(name, (timings = new Timings()));
    timings.add(milliseconds);
  }

  /** A counter or gauge that is read for each line. `read` gives undefined while there is no value. */
  observe(name: SeriesOf<"counter" | "gauge">, read: () => number | undefined): void {
    this.#observed.set(name, read);
  }

  /**
   * The line with what has happened since the last one; null when nothing has. Of more than 100 durations it has 100,
   * evenly spaced in rank: percentiles are right to one in a hundred, and the number of samples is not.
   */
  take(nowMs: EpochMs): string | null {
    for (const [name, read] of this.#observed) {
      const value = read();
      if (value !== undefined) this.#gauges.set(name, value);
    }
    const values: [Series, number | number[]][] = [
      ...this.#counters,
      ...this.#gauges,
      ...[...this.#timings].map(([name, timings]): [Series, number[]] => [name, evenly(timings.sorted())]),
    ];
    this.#counters.clear();
    this.#gauges.clear();
    this.#timings.clear();
    if (values.length === 0) return null;
    const directive = {
      Namespace: NAMESPACE,
      Dimensions: [Object.keys(this.#dimensions)],
      Metrics: values.map(([name]) => ({ Name: name, Unit: metrics[seriesParts(name).name].unit })),
    };
    return JSON.stringify({
      _aws: { Timestamp: nowMs, CloudWatchMetrics: [directive] },
      ...this.#dimensions,
      ...Object.fromEntries(values),
    });
  }
}

/** At most `MAX_VALUES` of values that are sorted, the first and the last among them. */
function evenly(sorted: Float64Array): number[] {
  if (sorted.length <= MAX_VALUES) return [...sorted];
  return Array.from(
    { length: MAX_VALUES },
    (_, i) => sorted[Math.round((i * (sorted.length - 1)) / (MAX_VALUES - 1))]!,
  );
}
