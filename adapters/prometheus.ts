import { Counter, Gauge, Registry, type Metric } from "prom-client";
import { metrics, seriesParts, type MetricName, type MetricSpec, type Series } from "../domain/metrics.ts";
import { prometheusName, prometheusValue } from "../domain/prometheus.ts";
import { bucketBoundsMs, type Buckets } from "./buckets.ts";

/** Of Prometheus' text format. */
export const PROMETHEUS_CONTENT_TYPE = Registry.PROMETHEUS_CONTENT_TYPE;

/**
 * Metrics in Prometheus' text format. The registry lives for one scrape: a program counts in plain numbers, twenty
 * times as fast as a labelled counter of prom-client.
 *
 * @param program Label of all series; none when undefined.
 */
export async function prometheusText(
  program: string | undefined,
  values: readonly (readonly [Series, number])[],
  timings: readonly (readonly [Series, Buckets])[],
): Promise<string> {
  const registry = new Registry();
  if (program !== undefined) registry.setDefaultLabels({ program });
  const made = new Map<MetricName, Counter | Gauge>();
  for (const [series, value] of values) {
    const { name, label } = seriesParts(series);
    let metric = made.get(name);
    if (!metric) made.set(name, (metric = makeMetric(name, registry)));
    metric.inc(label ? { [label.name]: label.value } : {}, prometheusValue(name, value));
  }
  for (const [series, buckets] of timings) registry.registerMetric(histogram(seriesParts(series).name, buckets));
  return await registry.metrics();
}

function makeMetric(name: MetricName, registry: Registry): Counter | Gauge {
  const { kind, label, doc }: MetricSpec = metrics[name];
  const labelNames = label ? [label] : [];
  const config = { name: prometheusName(name), help: doc, labelNames, registers: [registry] };
  return kind === "counter" ? new Counter(config) : new Gauge(config);
}

/** A histogram of what was counted already; prom-client's own can only be given one duration after another. */
function histogram(metric: MetricName, { counts, sum }: Buckets): Metric {
  const name = prometheusName(metric);
  const seconds = (value: number): number => prometheusValue(metric, value);
  const get = () => {
    let count = 0;
    const values = Array.from(counts, (more, i) => {
      const le = i < bucketBoundsMs.length ? String(seconds(bucketBoundsMs[i]!)) : "+Inf";
      return { metricName: `${name}_bucket`, labels: { le }, value: (count += more) };
    });
    return {
      name,
      help: metrics[metric].doc,
      type: "histogram",
      aggregator: "sum",
      values: [
        ...values,
        { metricName: `${name}_sum`, labels: {}, value: seconds(sum) },
        { metricName: `${name}_count`, labels: {}, value: count },
      ],
    };
  };
  return { name, get } as unknown as Metric;
}

/** Texts of several programs as one: the series of a metric stand together, under its help and type. */
export function mergePrometheusTexts(texts: readonly string[]): string {
  const samples = new Map<string, string[]>();
  for (const text of texts) {
    for (const family of text.split("\n\n")) {
      const [help, type, ...lines] = family.trimEnd().split("\n");
      if (type === undefined) continue;
      const head = `${help}\n${type}`;
      samples.set(head, [...(samples.get(head) ?? []), ...lines]);
    }
  }
  return [...samples].map(([head, lines]) => `${head}\n${lines.join("\n")}\n`).join("\n");
}
