import type { Figure } from "../../domain/alarm-spec.ts";
import { metrics, seriesParts, type MetricName, type Series } from "../../domain/metrics.ts";
import { processorPrograms, type PipelineName } from "../../domain/pipelines.ts";
import { prometheusName, prometheusValue } from "../../domain/prometheus.ts";
import { SECOND, type Milliseconds } from "../../domain/time.ts";

/** Name of the scrape job. */
export const JOB = "millrace";

/** What `npm start` itself counts has no port to scrape. Prometheus sees it by its targets. */
const own: Readonly<Record<string, (range: string) => string>> = {
  "local.not-running": () => `sum(1 - up{job="${JOB}"})`,
  "local.restarts": (range) => `sum(resets(${prometheusName("program.cpu-time")}[${range}]))`,
};

/**
 * A figure in PromQL, in the units of `domain/metrics.ts`: ms and per cent.
 *
 * @param pipeline Whose processor a processor's metrics are read from; all of them where it is undefined
 */
export function promql(figure: Figure, pipeline: PipelineName | undefined, periodMs: Milliseconds): string {
  const range = `${periodMs / SECOND}s`;
  const growth = (name: MetricName | Series): string => own[name]?.(range) ?? grown(selector(name, pipeline), range);
  switch (figure.of) {
    case "growth":
      return figure.counters.map(growth).join(" + ");
    case "share":
      return `100 * ${growth(figure.part)} / ${growth(figure.whole)}`;
    case "gauge": {
      const over = figure.statistic === "Maximum" ? "max_over_time" : "min_over_time";
      const value = `max(${over}(${selector(figure.gauge, pipeline)}[${range}]))`;
      return own[figure.gauge]?.(range) ?? inOurUnit(figure.gauge, value);
    }
    case "p99": {
      const buckets = selector(figure.timing, pipeline, "_bucket");
      const value = `max(histogram_quantile(0.99, sum by (program, le) (rate(${buckets}[${range}]))))`;
      return inOurUnit(figure.timing, value);
    }
  }
}

function selector(series: MetricName | Series, pipeline: PipelineName | undefined, suffix = ""): string {
  const { name, label } = seriesParts(series as Series);
  const labels = [
    ...(label ? [`${label.name}="${label.value}"`] : []),
    ...(pipeline && name.startsWith("processor.") ? [`program="${processorPrograms[pipeline]}"`] : []),
  ];
  return `${prometheusName(name)}${suffix}${labels.length > 0 ? `{${labels.join(",")}}` : ""}`;
}

/** `increase` alone would miss what a counter counted when it appeared: it is there from its first event on. */
function grown(counter: string, range: string): string {
  return `(sum((${counter} unless ${counter} offset ${range}) or increase(${counter}[${range}])) or vector(0))`;
}

function inOurUnit(series: MetricName | Series, expression: string): string {
  const { name } = seriesParts(series as Series);
  const factor = 1 / prometheusValue(name, 1);
  return metrics[name].unit === "Count" || factor === 1 ? expression : `${factor} * ${expression}`;
}
