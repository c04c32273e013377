/** The view of who operates the platform: alarms, and the four dashboards. */

import { byId } from "./dom.ts";
import { tableCell, time } from "./format.ts";
import { drawGraph, figure, type Graph } from "./graph.ts";
import type { View } from "./view.ts";

/** Points of a graph's whole width: a quarter of an hour. */
const POINTS = 180;

export type Alarm = {
  spec: {
    name: string;
    severity: string;
    means: string;
    affects: string;
    comparison: string;
    threshold: number;
    unit: string;
    runbook: string;
  };
  state: "OK" | "ALARM" | "NO DATA";
  sinceMs: number;
  value: number | null;
  suppressedBy: string | null;
};

export type Dashboard = { name: string; graphs: Graph[] };

const SEVERITIES = ["CRITICAL", "HIGH", "MEDIUM", "LOW"];
const DEFAULT = "health";

async function read(path: string) {
  const response = await fetch(path, { cache: "no-store" });
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return response.json();
}

export class OperationsView implements View {
  readonly component = "processor";
  readonly source = "status";
  #dashboard = DEFAULT;

  /** Shows the dashboard of an address. */
  show(dashboard: string) {
    this.#dashboard = dashboard || DEFAULT;
    document.title = "Operations · Millrace";
    for (const link of document.querySelectorAll("#dashboards a"))
      if (link.getAttribute("href") === `#/operations/${this.#dashboard}`) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
  }

  async refresh() {
    const [alarms, { dashboards, stepMs }] = await Promise.all([read("operations/alarms"), read("operations/graphs")]);
    this.#showAlarms(alarms);
    this.#showGraphs(dashboards, stepMs);
  }

  #showAlarms(alarms: Alarm[]) {
    const on = alarms
      .filter(({ state }) => state === "ALARM")
      .sort((a, b) => SEVERITIES.indexOf(a.spec.severity) - SEVERITIES.indexOf(b.spec.severity));
    byId("alarms").replaceChildren(...on.map(alarmRow));
    byId("alarms-empty").hidden = on.length > 0;
    const withData = alarms.filter(({ state }) => state !== "NO DATA").length;
    byId("alarms-of").textContent = `${on.length} of ${alarms.length} are on, ${alarms.length - withData} have no data`;
  }

  #showGraphs(dashboards: Dashboard[], stepMs: number) {
    const chosen = dashboards.find(({ name }) => name === this.#dashboard) ?? dashboards[0];
    byId("graphs").replaceChildren(...(chosen?.graphs ?? []).map((graph) => graphPanel(graph, stepMs)));
  }
}

function alarmRow({ spec, sinceMs, value, suppressedBy }: Alarm) {
  const row = document.createElement("tr");
  const link = document.createElement("a");
  link.href = `runbooks/${spec.runbook}.md`;
  link.target = "_blank";
  link.textContent = "runbook";
  link.title = spec.affects;
  const mark = document.createElement("span");
  mark.className = `severity ${spec.severity.toLowerCase()}`;
  mark.textContent = spec.severity;
  const why = suppressedBy === null ? spec.means : `${spec.means} (explained by ${suppressedBy})`;
  row.append(
    tableCell(mark),
    tableCell(spec.name),
    tableCell(why),
    tableCell(value === null ? "no value" : `${figure(value)} ${spec.unit}`, "number"),
    tableCell(`${spec.comparison} ${figure(spec.threshold)}`, "number"),
    tableCell(time(sinceMs)),
    tableCell(link),
  );
  return row;
}

function graphPanel(graph: Graph, stepMs: number) {
  const panel = document.createElement("article");
  panel.className = "panel graph";
  const title = document.createElement("h2");
  title.textContent = graph.title;
  const unit = document.createElement("span");
  unit.className = "muted";
  unit.textContent = ` ${graph.unit}`;
  title.append(unit);
  const legend = document.createElement("p");
  legend.className = "legend";
  legend.append(
    ...graph.lines.map(({ label, points }, i) => {
      const entry = document.createElement("span");
      const key = document.createElement("i");
      key.className = `key line-${i}`;
      const last = points.at(-1);
      entry.append(key, `${label} ${last == null ? "–" : figure(last)}`);
      return entry;
    }),
  );
  const good = document.createElement("p");
  good.className = "muted hint";
  const { limit } = graph;
  const alarm = limit ? ` ${limit.severity} at ${limit.comparison} ${figure(limit.value)}.` : "";
  good.textContent = `Good: ${graph.good}.${alarm}`;
  panel.append(title, legend, drawGraph(graph, stepMs, POINTS), good);
  return panel;
}
