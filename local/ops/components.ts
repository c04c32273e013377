import type { Health } from "../../adapters/health.ts";
import type { ComponentFigure, ComponentOverview, ComponentsOverview, RaisedAlarm } from "../../domain/ops.ts";
import { SECOND, type EpochMs, type Milliseconds } from "../../domain/time.ts";
import { hasFigures, specsOf, type FigureSpec } from "../../ops/component-figures.ts";
import { bySeverity, raisedAlarm } from "../../ops/raised-alarms.ts";
import type { AlarmStatus } from "../alarms.ts";
import { CounterTotals, isTiming, type MetricsSnapshot } from "../counter-totals.ts";
import type { UnitStatus } from "../supervisor.ts";

/** Rates cover this much time. */
const RATE_MS: Milliseconds = 10 * SECOND;
/** Problems of a component that are told of: a processor may have one in each partition. */
const MAX_PROBLEMS = 20;

/** Keeps what the components of the platform say of themselves. */
export class Components {
  readonly #units: () => ReadonlyMap<string, UnitStatus>;
  readonly #totals = new CounterTotals();
  #snapshots: ReadonlyMap<string, MetricsSnapshot> = new Map();
  #health: ReadonlyMap<string, Health> = new Map();
  /** Counters of the last `RATE_MS` and one before, by program and metric. */
  #points: { readonly atMs: EpochMs; readonly counts: ReadonlyMap<string, number> }[] = [];
  #atMs: EpochMs = 0;

  /** @param units All processes of the platform, see `Supervisor` */
  constructor(units: () => ReadonlyMap<string, UnitStatus>) {
    this.#units = units;
  }

  /**
   * Takes the newest metrics and health, by program, without the programs that did not answer.
   *
   * @param nowMs From a clock that never goes back
   */
  update(snapshots: ReadonlyMap<string, MetricsSnapshot>, health: ReadonlyMap<string, Health>, nowMs: EpochMs): void {
    for (const [program, snapshot] of snapshots) this.#totals.count(program, snapshot);
    [this.#snapshots, this.#health, this.#atMs] = [snapshots, health, nowMs];
    const counts = new Map<string, number>();
    for (const program of snapshots.keys())
      for (const spec of specsOf(program))
        if ("rate" in spec) counts.set(`${program} ${spec.rate}`, this.#totals.total(spec.rate, program));
    this.#points.push({ atMs: nowMs, counts });
    const first = this.#points.findLastIndex(({ atMs }) => atMs <= nowMs - RATE_MS);
    if (first > 0) this.#points = this.#points.slice(first);
  }

  /** @param alarms All of them, as `AlarmBoard` has them */
  overview(alarms: readonly AlarmStatus[]): ComponentsOverview {
    const units = this.#units();
    return {
      atMs: this.#atMs,
      components: [...units].map(([name, unit]) => this.#component(name, unit)),
      alarms: alarms
        .flatMap(raised)
        .map((alarm) => ({ ...alarm, components: alarm.components.filter((name) => units.has(name)) }))
        .sort(bySeverity),
    };
  }

  #component(name: string, { state, restarts }: UnitStatus): ComponentOverview {
    const specs = specsOf(name);
    const isProgram = hasFigures(name) || this.#snapshots.has(name) || this.#health.has(name);
    const health = this.#health.get(name);
    const runs = state === "running" || state === "finished" ? "ok" : "down";
    return {
      name,
      kind: isProgram ? "program" : "server",
      state,
      status: runs === "down" ? "down" : isProgram && state === "running" ? (health?.status ?? "unknown") : "ok",
      problems: Object.entries(health?.components ?? {})
        .filter(([, { status }]) => status !== "ok")
        .slice(0, MAX_PROBLEMS)
        .map(([component, { status, detail }]) => `${component}: ${detail ?? status}`),
      restarts,
      figures: isProgram ? specs.map((spec) => this.#figure(name, spec)) : [],
    };
  }

  #figure(program: string, spec: FigureSpec): ComponentFigure {
    const { name, unit } = spec;
    if ("rate" in spec) return { name, unit, value: this.#rate(`${program} ${spec.rate}`, spec.factor ?? 1) };
    const value = this.#snapshots.get(program)?.["p99" in spec ? spec.p99 : spec.value];
    if ("p99" in spec) return { name, unit, value: isTiming(value) ? value.p99 : null };
    return { name, unit, value: typeof value === "number" ? value : null };
  }

  /** A second, over the points that are kept; null where there is but one. */
  #rate(key: string, factor: number): number | null {
    const first = this.#points.find(({ counts }) => counts.has(key));
    const last = this.#points.findLast(({ counts }) => counts.has(key));
    if (!first || !last || last.atMs <= first.atMs) return null;
    return (factor * (last.counts.get(key)! - first.counts.get(key)!) * SECOND) / (last.atMs - first.atMs);
  }
}

function raised({ spec, state, sinceMs, suppressedBy }: AlarmStatus): RaisedAlarm[] {
  return state === "ALARM" ? [raisedAlarm(spec, sinceMs, suppressedBy)] : [];
}
