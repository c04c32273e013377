import { Timings } from "../../adapters/timings.ts";
import { metrics, type MetricName, type MetricOf } from "../../domain/metrics.ts";
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
  readonly #counters = new Map<MetricName, number>();
  readonly #gauges = new Map<MetricName, number>();
  readonly #timings = new Map<MetricName, Timings>();

  /** `dimensions`: of all metrics, such as environment and program. */
  constructor(dimensions: Readonly<Record<string, string>>) {
    this.#dimensions = dimensions;
  }

  add(name: MetricOf<"counter">, amount = 1): void {
    this.#counters.set(name, (this.#counters.get(name) ?? 0) + amount);
  }

  set(name: MetricOf<"gauge">, value: number): void {
    this.#gauges.set(name, value);
  }

  time(name: MetricOf<"timing">, milliseconds: number): void {
    let timings = this.#timings.get(name);
    if (!timings) this.#timings.set(name, (timings = new Timings()));
    timings.add(milliseconds);
  }

  /**
   * The line with what has happened since the last one; null when nothing has. Of more than 100 durations it has 100,
   * evenly spaced in rank: percentiles are right to one in a hundred, and the number of samples is not.
   */
  take(nowMs: EpochMs): string | null {
    const values: [MetricName, number | number[]][] = [
      ...this.#counters,
      ...this.#gauges,
      ...[...this.#timings].map(([name, timings]): [MetricName, number[]] => [name, evenly(timings.sorted())]),
    ];
    this.#counters.clear();
    this.#gauges.clear();
    this.#timings.clear();
    if (values.length === 0) return null;
    const directive = {
      Namespace: NAMESPACE,
      Dimensions: [Object.keys(this.#dimensions)],
      Metrics: values.map(([name]) => ({ Name: name, Unit: metrics[name].unit })),
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
