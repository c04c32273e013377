import type { Health } from "../../adapters/health.ts";
import { severities, type Figure } from "../../domain/alarm-spec.ts";
import type { MetricOf } from "../../domain/metrics.ts";
import type { ComponentFigure, ComponentOverview, ComponentsOverview, RaisedAlarm } from "../../domain/ops.ts";
import { processorPrograms, type PipelineName } from "../../domain/pipelines.ts";
import { SECOND, type EpochMs, type Milliseconds } from "../../domain/time.ts";
import type { AlarmStatus } from "../alarms.ts";
import { CounterTotals, isTiming, type MetricsSnapshot } from "../counter-totals.ts";
import type { UnitStatus } from "../supervisor.ts";

/** Rates cover this much time. */
const RATE_MS: Milliseconds = 10 * SECOND;
/** Problems of a component that are told of: a processor may have one in each partition. */
const MAX_PROBLEMS = 20;

/** How a figure is read from a program's metrics. */
type FigureSpec =
  | { readonly name: string; readonly rate: MetricOf<"counter">; readonly unit: string; readonly factor?: number }
  | { readonly name: string; readonly value: MetricOf<"gauge" | "counter">; readonly unit: string }
  | { readonly name: string; readonly p99: MetricOf<"timing">; readonly unit: "ms" };

const processor: readonly FigureSpec[] = [
  { name: "records", rate: "processor.records", unit: "/s" },
  { name: "readings", rate: "processor.readings", unit: "/s" },
  { name: "windows", rate: "processor.windows", unit: "/s" },
  { name: "lag", value: "processor.lag", unit: "records" },
  { name: "watermark lag", value: "processor.watermark-lag", unit: "ms" },
  { name: "ingest to commit p99", p99: "processor.ingest-to-commit", unit: "ms" },
  { name: "snapshot age", value: "processor.snapshot-age", unit: "ms" },
  { name: "tasks", value: "processor.tasks", unit: "partitions" },
  { name: "task restarts", value: "processor.restarts", unit: "" },
  { name: "keys in state", value: "processor.sensors", unit: "" },
];

const figures: Readonly<Record<string, readonly FigureSpec[]>> = {
  bridge: [
    { name: "messages", rate: "bridge.messages", unit: "/s" },
    { name: "dead letters", value: "bridge.dead-letters", unit: "" },
    { name: "in flight", value: "bridge.in-flight", unit: "messages" },
    { name: "publish p99", p99: "bridge.publish-latency", unit: "ms" },
  ],
  processor,
  "processor-market": processor,
  live: [
    { name: "frames", rate: "live.frames", unit: "/s" },
    { name: "connections", value: "live.connections", unit: "" },
    { name: "lag", value: "live.lag", unit: "records" },
  ],
  "event-source": [
    { name: "records", rate: "event-source.records", unit: "/s" },
    { name: "invocations", rate: "event-source.invocations", unit: "/s" },
    { name: "lag", value: "event-source.lag", unit: "records" },
    { name: "retries", value: "event-source.retries", unit: "" },
    { name: "given up", value: "event-source.discarded", unit: "records" },
  ],
  firehose: [
    { name: "records", rate: "firehose.records", unit: "/s" },
    { name: "files", value: "firehose.files", unit: "" },
    { name: "not in a file yet", value: "firehose.buffered", unit: "bytes" },
  ],
  gateway: [
    { name: "requests", rate: "gateway.requests", unit: "/s" },
    { name: "posts", rate: "gateway.posts", unit: "/s" },
    { name: "connections", value: "gateway.connections", unit: "" },
  ],
  events: [
    { name: "entries", rate: "events.entries", unit: "/s" },
    { name: "given up", value: "events.discarded", unit: "events" },
  ],
  simulator: [
    { name: "messages", rate: "simulator.messages", unit: "/s" },
    { name: "readings", rate: "simulator.readings", unit: "/s" },
  ],
  "simulator-market": [{ name: "events", rate: "simulator.events", unit: "/s" }],
};

/** What every program has. */
const common: readonly FigureSpec[] = [
  // Milliseconds a second, in per cent of a core.
  { name: "CPU", rate: "program.cpu-time", unit: "% of a core", factor: 0.1 },
  { name: "memory", value: "program.rss", unit: "bytes" },
];

/** Programs whose metrics are named after something else. */
const metricOwners: Readonly<Record<string, string>> = { "audit-output": "event-source" };
/** Metrics that any program has, or that `npm start` has itself. */
const ofAny = ["program", "local"];

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
        .sort((a, b) => rank(a) - rank(b)),
    };
  }

  #component(name: string, { state, restarts }: UnitStatus): ComponentOverview {
    const specs = specsOf(name);
    const isProgram = Object.hasOwn(figures, name) || this.#snapshots.has(name) || this.#health.has(name);
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

function specsOf(program: string): readonly FigureSpec[] {
  return [...((Object.hasOwn(figures, program) && figures[program]) || []), ...common];
}

function raised({ spec, state, sinceMs, suppressedBy }: AlarmStatus): RaisedAlarm[] {
  if (state !== "ALARM") return [];
  const { name, severity, means, runbook, figure, pipeline } = spec;
  const components = figure ? [...new Set(metricsOf(figure).flatMap((metric) => ownerOf(metric, pipeline)))] : [];
  return [{ name, severity, means, runbook, sinceMs, explainedBy: suppressedBy, components }];
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
