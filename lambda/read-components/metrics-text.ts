import { Gauge, Registry } from "prom-client";
import { type MetricName, type MetricSpec, metrics } from "../../domain/metrics.ts";
import { prometheusName, prometheusValue } from "../../domain/prometheus.ts";
import type { Query } from "./cloudwatch.ts";

/** Programs whose metrics are in CloudWatch, as the first part of a metric's name. */
const REPORTING = ["audit-output", "bridge", "live", "processor"];
/** Of those, the ones that run all the time: they report the metrics of every program. */
const RUNNING = ["bridge", "live", "processor"];

const statistics = {
  counter: ["Sum"],
  gauge: ["Maximum"],
  timing: ["p50", "p95", "p99"],
} as const satisfies Record<MetricSpec["kind"], readonly Query["statistic"][]>;

/** Every metric that is in CloudWatch, all values of a label together. */
export function metricQueries(): Query[] {
  return (Object.keys(metrics) as MetricName[]).flatMap((metric) => {
    const owner = metric.split(".")[0]!;
    const programs = owner === "program" ? RUNNING : REPORTING.filter((name) => name === owner);
    const { kind }: MetricSpec = metrics[metric];
    return programs.flatMap((program) => statistics[kind].map((statistic): Query => ({ program, metric, statistic })));
  });
}

/**
 * The last minute in Prometheus' text format, all as gauges: CloudWatch has of a counter what it grew by in a minute
 * (`…_per_minute`), of a gauge the highest value of all tasks, of durations their percentiles (`quantile`). What was
 * not reported is left out.
 */
export function metricsText(queries: readonly Query[], values: readonly (number | null)[]): Promise<string> {
  const registry = new Registry();
  const gauges = new Map<string, Gauge>();
  for (const [i, { program, metric, statistic }] of queries.entries()) {
    const value = values[i] ?? null;
    if (value === null) continue;
    const { kind, doc }: MetricSpec = metrics[metric];
    const own = prometheusName(metric);
    const name = kind === "counter" ? `${own.replace(/_total$/, "")}_per_minute` : own;
    const labelNames = kind === "timing" ? ["program", "quantile"] : ["program"];
    let gauge = gauges.get(name);
    if (!gauge) gauges.set(name, (gauge = new Gauge({ name, help: doc, labelNames, registers: [registry] })));
    const quantile = kind === "timing" ? { quantile: `0.${statistic.slice(1)}` } : {};
    gauge.set({ program, ...quantile }, prometheusValue(metric, value));
  }
  return registry.metrics();
}
