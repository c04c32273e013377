import { metrics, type MetricName, type MetricSpec } from "./metrics.ts";

/**
 * How Prometheus names a unit, and what a value of ours is in it. Its conventions want base units and their plural:
 * https://prometheus.io/docs/practices/naming/
 */
const units: Readonly<Record<MetricSpec["unit"], { readonly suffix: string; readonly divisor: number }>> = {
  Count: { suffix: "", divisor: 1 },
  Milliseconds: { suffix: "_seconds", divisor: 1_000 },
  Bytes: { suffix: "_bytes", divisor: 1 },
  Percent: { suffix: "_ratio", divisor: 100 },
};

/** The name of a metric for Prometheus: `processor.commit-latency` is `millrace_processor_commit_latency_seconds`. */
export function prometheusName(name: MetricName): string {
  const { unit, kind }: MetricSpec = metrics[name];
  const base = `millrace_${name.replaceAll(/[.-]/g, "_")}`;
  const { suffix } = units[unit];
  return (base.endsWith(suffix) ? base : base + suffix) + (kind === "counter" ? "_total" : "");
}

/** A value of a metric in the unit of its name for Prometheus. */
export function prometheusValue(name: MetricName, value: number): number {
  return value / units[metrics[name].unit].divisor;
}
