import type { Service } from "@aws-sdk/client-ecs";
import type { AlarmSpec } from "../../domain/alarm-spec.ts";
import { type MetricSpec, metrics } from "../../domain/metrics.ts";
import type { ComponentFigure, ComponentOverview, ComponentStatus, RaisedAlarm } from "../../domain/ops.ts";
import { MINUTE, SECOND, type EpochMs } from "../../domain/time.ts";
import { specsOf, type FigureSpec } from "../../ops/component-figures.ts";
import { bySeverity, raisedAlarm } from "../../ops/raised-alarms.ts";
import type { Query } from "./cloudwatch.ts";

/** How a service of ECS is. */
export interface ServiceState {
  /** Without the environment. */
  readonly name: string;
  /** Undefined where ECS has none of that name. */
  readonly service: Service | undefined;
}

/** What is asked of CloudWatch for the figures of a program, one after the other. */
export function queriesOf(program: string): Query[] {
  return specsOf(program).map((spec): Query => {
    if ("rate" in spec) return { program, metric: spec.rate, statistic: "Sum" };
    if ("p99" in spec) return { program, metric: spec.p99, statistic: "p99" };
    return { program, metric: spec.value, statistic: isCounter(spec) ? "Sum" : "Maximum" };
  });
}

/** @param values Of `queriesOf` the program */
export function componentOf(
  program: string,
  services: readonly ServiceState[],
  values: readonly (number | null)[],
): ComponentOverview {
  const count = (of: "runningCount" | "desiredCount"): number =>
    services.reduce((sum, { service }) => sum + (service?.[of] ?? 0), 0);
  return {
    name: program,
    kind: "program",
    state: `${count("runningCount")} of ${count("desiredCount")} tasks`,
    status: worst(services.map(statusOf)),
    problems: services.flatMap(problemsOf),
    restarts: services.reduce((sum, { service }) => sum + failedTasks(service), 0),
    figures: specsOf(program).map((spec, i) => figureOf(spec, values[i] ?? null)),
  };
}

function statusOf({ service }: ServiceState): ComponentStatus {
  const { status, runningCount = 0, desiredCount = 0, deployments = [] } = service ?? {};
  if (status !== "ACTIVE" || (runningCount === 0 && desiredCount > 0)) return "down";
  const isFailing = deployments.some(({ rolloutState }) => rolloutState === "FAILED");
  return runningCount < desiredCount || isFailing ? "degraded" : "ok";
}

function worst(statuses: readonly ComponentStatus[]): ComponentStatus {
  return (["down", "degraded"] as const).find((status) => statuses.includes(status)) ?? "ok";
}

function problemsOf({ name, service }: ServiceState): string[] {
  if (service?.status !== "ACTIVE") return [`${name}: ECS has no such service`];
  const { runningCount = 0, desiredCount = 0, deployments = [] } = service;
  return [
    ...(runningCount < desiredCount ? [`${name}: ${runningCount} of ${desiredCount} tasks run`] : []),
    ...deployments
      .filter(({ rolloutState }) => rolloutState === "FAILED")
      .map(({ rolloutStateReason }) => `${name}: ${rolloutStateReason ?? "its deployment has failed"}`),
  ];
}

function failedTasks(service: Service | undefined): number {
  return (service?.deployments ?? []).reduce((sum, deployment) => sum + (deployment.failedTasks ?? 0), 0);
}

/** A counter is in CloudWatch as what it grew by. */
function figureOf(spec: FigureSpec, value: number | null): ComponentFigure {
  const { name, unit } = spec;
  if ("rate" in spec)
    return { name, unit, value: value === null ? null : ((spec.factor ?? 1) * value * SECOND) / MINUTE };
  return { name: isCounter(spec) ? `${name} in the last minute` : name, unit, value };
}

function isCounter(spec: FigureSpec): boolean {
  return "value" in spec && (metrics[spec.value] as MetricSpec).kind === "counter";
}

/**
 * The alarms of the table that are on.
 *
 * @param on Names in CloudWatch: several where an alarm is one for each resource
 */
export function raisedAlarms(specs: readonly AlarmSpec[], on: ReadonlyMap<string, EpochMs>): RaisedAlarm[] {
  const since = new Map<string, EpochMs>();
  for (const [name, sinceMs] of on) {
    const spec = specs.find((each) => each.name === name) ?? specs.find((each) => name.startsWith(`${each.name}-`));
    if (spec) since.set(spec.name, Math.min(sinceMs, since.get(spec.name) ?? Infinity));
  }
  return specs
    .filter(({ name }) => since.has(name))
    .map((spec) => {
      const explainedBy = spec.suppressedBy?.find((cause) => since.has(cause)) ?? null;
      const raised = raisedAlarm(spec, since.get(spec.name)!, explainedBy);
      // The processors of all pipelines are one program.
      const components = raised.components.map((name) => (name.startsWith("processor") ? "processor" : name));
      return { ...raised, components: [...new Set(components)] };
    })
    .sort(bySeverity);
}
