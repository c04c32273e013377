import { alarms } from "../../domain/alarms.ts";
import { dashboards, GRAPH_PERIOD_MS, type DashboardName, type Graph } from "../../domain/dashboards.ts";
import { existingWhere, type PipelineName } from "../../domain/pipelines.ts";
import { promql } from "./promql.ts";

/** Of 24 columns. */
const WIDTH = 8;
const HEIGHT = 8;
const IN_A_ROW = 24 / WIDTH;
const DATA_SOURCE = { type: "prometheus", uid: "${datasource}" };

/** What Grafana calls a unit of ours; another one stands at the axis as it is. */
const units: Readonly<Record<string, string>> = { ms: "ms", s: "s", "%": "percent", bytes: "bytes" };

/** The four dashboards as the rows of one Grafana dashboard; graphs of services of AWS alone are left out. */
export function grafanaDashboard(running: readonly PipelineName[]): object {
  const panels: object[] = [];
  let y = 0;
  for (const [name, graphs] of Object.entries(dashboards) as [DashboardName, readonly Graph[]][]) {
    const drawn = graphs.map((graph) => ({ graph, targets: targetsOf(graph, running) }));
    const shown = drawn.filter(({ targets }) => targets.length > 0);
    const title = `${name[0]!.toUpperCase()}${name.slice(1)}`;
    panels.push({
      id: panels.length + 1,
      type: "row",
      title,
      collapsed: false,
      gridPos: { x: 0, y: y++, w: 24, h: 1 },
    });
    shown.forEach(({ graph, targets }, i) => {
      const gridPos = { x: (i % IN_A_ROW) * WIDTH, y: y + Math.floor(i / IN_A_ROW) * HEIGHT, w: WIDTH, h: HEIGHT };
      panels.push({ id: panels.length + 1, ...panel(graph, targets), gridPos });
    });
    y += Math.ceil(shown.length / IN_A_ROW) * HEIGHT;
  }
  return {
    uid: "millrace",
    title: "Millrace",
    schemaVersion: 39,
    timezone: "browser",
    refresh: "10s",
    time: { from: "now-1h", to: "now" },
    templating: { list: [{ name: "datasource", label: "Prometheus", type: "datasource", query: "prometheus" }] },
    panels,
  };
}

function targetsOf({ lines }: Graph, running: readonly PipelineName[]): object[] {
  return existingWhere(lines, running).flatMap(({ label, figure, pipeline }, i) =>
    figure
      ? [
          {
            refId: String.fromCharCode("A".charCodeAt(0) + i),
            datasource: DATA_SOURCE,
            legendFormat: label,
            expr: promql(figure, pipeline, GRAPH_PERIOD_MS),
          },
        ]
      : [],
  );
}

function panel({ title, unit, good, alarm }: Graph, targets: readonly object[]): object {
  const spec = alarms.find(({ name }) => name === alarm);
  const [inside, outside] = spec?.comparison === ">" ? ["green", "red"] : ["red", "green"];
  return {
    type: "timeseries",
    title,
    description: `Good: ${good}.`,
    datasource: DATA_SOURCE,
    fieldConfig: {
      defaults: {
        unit: units[unit] ?? "short",
        custom: { axisLabel: unit, thresholdsStyle: { mode: spec ? "line" : "off" } },
        thresholds: {
          mode: "absolute",
          steps: spec
            ? [
                { color: inside, value: null },
                { color: outside, value: spec.threshold },
              ]
            : [{ color: "green", value: null }],
        },
      },
      overrides: [],
    },
    targets,
  };
}
