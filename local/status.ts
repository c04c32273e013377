import type { LatencyPercentiles, StatusMetrics } from "./status-metrics.ts";
import type { UnitStatus } from "./supervisor.ts";

/**
 * The status line of `npm start`: metrics, restarts, then the units that are not running or not healthy.
 *
 * @param health Status by program, as `GET /health` reports it.
 */
export function statusLine(
  metrics: StatusMetrics,
  latency: LatencyPercentiles,
  units: ReadonlyMap<string, UnitStatus>,
  health: ReadonlyMap<string, string>,
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
  ].join(" · ");
}
