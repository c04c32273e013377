import type { AlarmSpec } from "../../domain/alarm-spec.ts";
import { alarms, isOutage, SETTLE_MS } from "../../domain/alarms.ts";
import { existingWhere, type PipelineName } from "../../domain/pipelines.ts";
import { SECOND } from "../../domain/time.ts";
import { promql } from "./promql.ts";

/** Rules of Prometheus for the alarms that have a figure of programs, as the content of a rule file. */
export function alertingRules(running: readonly PipelineName[]): object {
  const withFigure = existingWhere(alarms, running).filter(({ figure }) => figure !== undefined);
  return { groups: [{ name: "millrace", interval: "5s", rules: withFigure.map(rule) }] };
}

function rule(spec: AlarmSpec): object {
  const { name, severity, pipeline, means, affects, unit, comparison, threshold, periodMs, periods, runbook } = spec;
  const breach = `(${promql(spec.figure!, pipeline, periodMs)}) ${comparison} ${threshold}`;
  const forSeconds = ((periods - 1) * periodMs) / SECOND;
  return {
    alert: name,
    expr: `${breach}${unlessExplained(spec.suppressedBy ?? [])}`,
    ...(forSeconds > 0 && { for: `${forSeconds}s` }),
    labels: { severity, ...(pipeline && { pipeline }) },
    annotations: {
      summary: `${means}: {{ $value }} ${unit}`,
      description: affects,
      runbook: `docs/runbooks/${runbook}.md`,
    },
  };
}

/** As on AWS: quiet while an alarm that explains it is on, and five minutes longer after an outage of the stream. */
function unlessExplained(explainedBy: readonly string[]): string {
  const on = (names: readonly string[]): string => `ALERTS{alertname=~"${names.join("|")}",alertstate="firing"}`;
  const others = explainedBy.filter((name) => !isOutage(name));
  const after = explainedBy.filter(isOutage);
  return [
    others.length > 0 ? ` unless on() ${on(others)}` : "",
    after.length > 0 ? ` unless on() max_over_time(${on(after)}[${SETTLE_MS / SECOND}s])` : "",
  ].join("");
}
