import { Metrics as Powertools } from "@aws-lambda-powertools/metrics";
import { metrics as specs, seriesParts, tiers, type MetricName, type Series, type Tier } from "../domain/metrics.ts";
import { SECOND } from "../domain/time.ts";
import type { Metrics } from "./metrics.ts";

/** CloudWatch namespace of every metric of `domain/metrics.ts`. */
const NAMESPACE = "Millrace";
/** Durations of one metric in a line, at most. With one more, Powertools would write a line of its own. */
export const MAX_VALUES = 99;

const [HIGH, STANDARD] = [1, 60] as const;

interface Value {
  readonly name: MetricName;
  readonly values: Iterable<number>;
}

/**
 * A program's metrics as lines of CloudWatch's embedded metric format on standard output: CloudWatch takes them from
 * the log, so that the program needs no permission and no call. Dimensions are environment and program; a value of a
 * label has its label as a third one, and their sum has none.
 */
export class EmbeddedMetrics {
  readonly #metrics: Metrics;
  readonly #powertools: Powertools;
  /** What was written of counters, and how many durations. */
  readonly #written = new Map<Series, number>();

  constructor(metrics: Metrics, dimensions: { readonly environment: string; readonly program: string }) {
    this.#metrics = metrics;
    this.#powertools = new Powertools({ namespace: NAMESPACE });
    // Powertools would add a dimension `service`.
    this.#powertools.clearDefaultDimensions();
    this.#powertools.setDefaultDimensions(dimensions);
  }

  /**
   * Writes the metrics of these tiers: what counters grew by since they were last written, gauges as they are, and
   * durations since then. Of more than 99 durations it has 99, evenly spaced in rank: percentiles are right to one in a
   * hundred, and the number of samples is not. A counter that did not grow is left out.
   */
  write(which: readonly Tier[]): void {
    const plain: Value[] = [];
    const sums = new Map<MetricName, number>();
    const labelled = Map.groupBy(this.#changes(which), ([series]) => seriesParts(series).label?.value);
    for (const [, changes] of labelled) {
      const { label } = seriesParts(changes[0]![0]);
      const values = changes.map(([series, numbers]) => ({ name: seriesParts(series).name, values: numbers }));
      if (!label) {
        plain.push(...values);
        continue;
      }
      for (const {
        name,
        values: [value],
      } of values)
        sums.set(name, (sums.get(name) ?? 0) + value!);
      this.#line(values, [label.name, label.value]);
    }
    this.#line([...plain, ...[...sums].map(([name, sum]) => ({ name, values: [sum] }))]);
  }

  /** Series of these tiers that have something to write, with their values. */
  #changes(which: readonly Tier[]): [Series, number[]][] {
    const isDue = (series: Series): boolean => which.includes(specs[seriesParts(series).name].tier);
    const changes: [Series, number[]][] = [];
    for (const [series, value] of this.#metrics.values().filter(([each]) => isDue(each))) {
      if (specs[seriesParts(series).name].kind === "gauge") changes.push([series, [value]]);
      else {
        const more = value - (this.#written.get(series) ?? 0);
        this.#written.set(series, value);
        if (more > 0) changes.push([series, [more]]);
      }
    }
    for (const [series, timings] of this.#metrics.timings().filter(([each]) => isDue(each))) {
      const values = timings.since(this.#written.get(series) ?? 0);
      this.#written.set(series, timings.count);
      if (values.length > 0) changes.push([series, evenly(values.sort())]);
    }
    return changes;
  }

  /** Powertools writes more than one line where the format wants it. */
  #line(values: readonly Value[], label?: readonly [name: string, value: string]): void {
    if (values.length === 0) return;
    if (label) this.#powertools.addDimension(...label);
    for (const { name, values: numbers } of values) {
      const { unit, tier } = specs[name];
      for (const value of numbers) this.#powertools.addMetric(name, unit, value, tier === 1 ? HIGH : STANDARD);
    }
    if (this.#powertools.hasStoredMetrics()) this.#powertools.publishStoredMetrics();
  }
}

/** Writes a program's metrics to its log, each tier's in its time, while the program runs. */
export function writeMetrics(metrics: Metrics, environment: string, program: string): void {
  const embedded = new EmbeddedMetrics(metrics, { environment, program });
  for (const [tier, seconds] of Object.entries(tiers))
    setInterval(() => embedded.write([Number(tier) as Tier]), seconds * SECOND).unref();
}

/** At most `MAX_VALUES` of sorted values, the first and the last among them, to a hundredth of a millisecond. */
function evenly(all: Float64Array): number[] {
  const sorted = all.map((value) => Math.round(value * 100) / 100);
  if (sorted.length <= MAX_VALUES) return [...sorted];
  return Array.from(
    { length: MAX_VALUES },
    (_, i) => sorted[Math.round((i * (sorted.length - 1)) / (MAX_VALUES - 1))]!,
  );
}
