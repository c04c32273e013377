import { alarms } from "../domain/alarms.ts";
import { dashboards, GRAPH_PERIOD_MS, type DashboardName, type GraphLine } from "../domain/dashboards.ts";
import { existingWhere, type PipelineName } from "../domain/pipelines.ts";
import { SECOND, type EpochMs } from "../domain/time.ts";
import { CounterTotals, type MetricsSnapshot } from "./counter-totals.ts";
import { FigureWindow } from "./figure-window.ts";

/** Time between two points of a graph. */
const STEP_MS = 5 * SECOND;
/** Points that are kept: a quarter of an hour. */
const POINTS = 180;
/** Digits of a point. */
const PRECISION = 4;

/** The four dashboards as the page draws them. */
export interface GraphsStatus {
  readonly stepMs: number;
  /** Time of each line's last point. */
  readonly atMs: EpochMs;
  readonly dashboards: readonly {
    readonly name: DashboardName;
    readonly graphs: readonly {
      readonly title: string;
      readonly unit: string;
      readonly good: string;
      readonly limit: { readonly value: number; readonly severity: string; readonly comparison: string } | null;
      /** The newest point last; null where there was no value. */
      readonly lines: readonly { readonly label: string; readonly points: readonly (number | null)[] }[];
    }[];
  }[];
}

/** A line of a graph with its last points. */
interface History {
  readonly label: string;
  readonly window: FigureWindow;
  readonly points: (number | null)[];
}

/** Keeps the figures of the dashboards for a quarter of an hour. Graphs that exist on AWS alone are left out. */
export class Graphs {
  readonly #totals = new CounterTotals();
  readonly #dashboards: readonly {
    readonly name: DashboardName;
    readonly graphs: readonly Omit<GraphsStatus["dashboards"][number]["graphs"][number], "lines">[];
    readonly lines: readonly (readonly History[])[];
  }[];
  #atMs: EpochMs;

  constructor(running: readonly PipelineName[], nowMs: EpochMs) {
    this.#atMs = nowMs;
    this.#dashboards = (Object.keys(dashboards) as DashboardName[]).map((name) => {
      const graphs = dashboards[name].flatMap(({ lines, alarm, title, unit, good }) => {
        const history = historyOf(existingWhere(lines, running), nowMs);
        const spec = alarms.find((each) => each.name === alarm);
        const limit = spec ? { value: spec.threshold, severity: spec.severity, comparison: spec.comparison } : null;
        return history.length === 0 ? [] : [{ graph: { title, unit, good, limit }, history }];
      });
      return { name, graphs: graphs.map(({ graph }) => graph), lines: graphs.map(({ history }) => history) };
    });
  }

  /** Takes the newest metrics, by program; `nowMs` is from a clock that never goes back. */
  update(snapshots: ReadonlyMap<string, MetricsSnapshot>, nowMs: EpochMs): void {
    for (const [program, snapshot] of snapshots) this.#totals.count(program, snapshot);
    const isDue = nowMs - this.#atMs >= STEP_MS;
    if (isDue) this.#atMs = nowMs;
    for (const { window, points } of this.#dashboards.flatMap(({ lines }) => lines.flat())) {
      window.add({ snapshots, totals: this.#totals }, nowMs);
      if (!isDue) continue;
      const value = window.value(nowMs);
      points.push(value === null ? null : Number(value.toPrecision(PRECISION)));
      if (points.length > POINTS) points.shift();
    }
  }

  status(): GraphsStatus {
    return {
      stepMs: STEP_MS,
      atMs: this.#atMs,
      dashboards: this.#dashboards.map(({ name, graphs, lines }) => ({
        name,
        graphs: graphs.map((graph, i) => ({
          ...graph,
          lines: lines[i]!.map(({ label, points }) => ({ label, points })),
        })),
      })),
    };
  }
}

function historyOf(lines: readonly GraphLine[], nowMs: EpochMs): History[] {
  return lines.flatMap(({ label, figure, pipeline }) =>
    figure ? [{ label, window: new FigureWindow(figure, pipeline, GRAPH_PERIOD_MS, nowMs), points: [] }] : [],
  );
}
