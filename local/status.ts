import { severities } from "../domain/alarm-spec.ts";
import type { AlarmStatus } from "./alarms.ts";
import type { LatencyPercentiles, StatusMetrics } from "./status-metrics.ts";
import type { UnitStatus } from "./supervisor.ts";

/** Alarms that the status line names. */
const NAMED_ALARMS = 3;

/**
 * The status line of `npm start`: metrics, restarts, then the units that are not running or not healthy, then alarms.
 *
 * @param health Status by program, as `GET /health` reports it.
 */
export function statusLine(
  metrics: StatusMetrics,
  latency: LatencyPercentiles,
  units: ReadonlyMap<string, UnitStatus>,
  health: ReadonlyMap<string, string>,
  alarms: readonly AlarmStatus[] = [],
): string {
  const count = (value: number): string => Math.round(value).toLocaleString("en-US");
  const ms = (value: number | undefined): string => (value === undefined ? "–" : value.toFixed(value < 10 ? 1 : 0));
  const restarts = [...units.values()].reduce((sum, unit) => sum + unit.restarts, 0);
  const notRunning = [...units].filter(([, { state }]) => state === "starting" || state === "restarting");
  const unhealthy = [...health].filter(([name, status]) => status !== "ok" && units.get(name)?.state === "running");
  return [
    `in ${count(metrics.readingsPerSecond)} readings/s`,
    `out ${count(metrics.windowsPerSecond)} windows/s`,
    `sessions ${count(metrics.sessionsStarted)}`,
    ...(metrics.tradesPerSecond === undefined ? [] : [`trades ${count(metrics.tradesPerSecond)}/s`]),
    `latency p50 ${ms(latency.p50)} p99 ${ms(latency.p99)} ms`,
    `dead letters ${count(metrics.deadLetters)}`,
    `lag ${count(metrics.lag)}`,
    `restarts ${count(restarts)}`,
    ...notRunning.map(([name, { state }]) => `${state}: ${name}`),
    ...unhealthy.map(([name, status]) => `${status}: ${name}`),
    ...alarmsOn(alarms),
  ].join(" · ");
}

/** The most severe alarms that are on, and how many more. */
function alarmsOn(alarms: readonly AlarmStatus[]): string[] {
  const on = alarms
    .filter(({ state, suppressedBy }) => state === "ALARM" && suppressedBy === null)
    .map(({ spec }) => spec)
    .toSorted((a, b) => severities.indexOf(a.severity) - severities.indexOf(b.severity));
  const more = on.length - NAMED_ALARMS;
  return [
    ...on.slice(0, NAMED_ALARMS).map(({ severity, name }) => `${severity}: ${name}`),
    ...(more > 0 ? [`and ${more} more alarm${more === 1 ? "" : "s"}`] : []),
  ];
}

/** What is printed when an alarm comes on or clears. */
export function describeAlarm({ spec, state, suppressedBy }: AlarmStatus): string {
  if (state !== "ALARM") return `alarm cleared: ${spec.name}`;
  if (suppressedBy !== null) return `alarm ${spec.name}: explained by ${suppressedBy}`;
  return `alarm ${spec.severity}: ${spec.name}. ${spec.means}. Runbook: docs/runbooks/${spec.runbook}.md`;
}
