import { severities, type AlarmSpec, type Figure } from "../domain/alarm-spec.ts";
import type { RaisedAlarm } from "../domain/ops.ts";
import { processorPrograms, type PipelineName } from "../domain/pipelines.ts";
import type { EpochMs } from "../domain/time.ts";

/** Programs whose metrics are named after something else. */
const metricOwners: Readonly<Record<string, string>> = { "audit-output": "event-source" };
/** Metrics that any program has, or that `npm start` has itself. */
const ofAny = ["program", "local"];

/** An alarm that is on, with the components that it is about. */
export function raisedAlarm(spec: AlarmSpec, sinceMs: EpochMs, explainedBy: string | null): RaisedAlarm {
  const { name, severity, means, runbook, figure, pipeline } = spec;
  const components = figure ? [...new Set(metricsOf(figure).flatMap((metric) => ownerOf(metric, pipeline)))] : [];
  return { name, severity, means, runbook, sinceMs, explainedBy, components };
}

/** The most severe first. */
export function bySeverity(a: RaisedAlarm, b: RaisedAlarm): number {
  return rank(a) - rank(b);
}

function rank({ severity }: RaisedAlarm): number {
  return (severities as readonly string[]).indexOf(severity);
}

function metricsOf(figure: Figure): readonly string[] {
  switch (figure.of) {
    case "growth":
      return figure.counters;
    case "share":
      return [figure.part, figure.whole];
    case "gauge":
      return [figure.gauge];
    case "p99":
      return [figure.timing];
  }
}

/** The programs that report a metric. */
function ownerOf(metric: string, pipeline: PipelineName | undefined): readonly string[] {
  const owner = metric.slice(0, metric.indexOf("."));
  if (ofAny.includes(owner)) return [];
  if (owner === "processor") return pipeline ? [processorPrograms[pipeline]] : Object.values(processorPrograms);
  return [metricOwners[owner] ?? owner];
}
