import type { Figures } from "./figures.ts";
import type { UnitStatus } from "./supervisor.ts";

export interface Latency {
  readonly p50: number | undefined;
  readonly p99: number | undefined;
}

/** The line of figures. @param health status by program, as `GET /health` says it; what is not `ok` is told. */
export function statusLine(
  figures: Figures,
  latency: Latency,
  units: ReadonlyMap<string, UnitStatus>,
  health: ReadonlyMap<string, string>,
): string {
  const count = (value: number): string => Math.round(value).toLocaleString("en-US");
  const ms = (value: number | undefined): string => (value === undefined ? "–" : value.toFixed(value < 10 ? 1 : 0));
  const restarts = [...units.values()].reduce((sum, unit) => sum + unit.restarts, 0);
  const notRunning = [...units].filter(([, { state }]) => state === "starting" || state === "restarting");
  return [
    `in ${count(figures.readingsPerSecond)} readings/s`,
    `out ${count(figures.windowsPerSecond)} windows/s`,
    `sessions ${count(figures.sessionsStarted)}`,
    `latency p50 ${ms(latency.p50)} p99 ${ms(latency.p99)} ms`,
    `dead letters ${count(figures.deadLetters)}`,
    `lag ${count(figures.lag)}`,
    `restarts ${count(restarts)}`,
    ...notRunning.map(([name, { state }]) => `${state}: ${name}`),
    ...[...health]
      .filter(([name, status]) => status !== "ok" && units.get(name)?.state === "running")
      .map(([name, status]) => `${status}: ${name}`),
  ].join(" · ");
}
