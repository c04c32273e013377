/** The view of who operates the platform: alarms, and the four dashboards. */
import { tableCell, time } from "./format.js";
import { drawGraph, figure } from "./graph.js";

/** Points of a graph's whole width: a quarter of an hour. */
const POINTS = 180;

/**
 * @typedef {{
 *   spec: {
 *     name: string;
 *     severity: string;
 *     means: string;
 *     affects: string;
 *     comparison: string;
 *     threshold: number;
 *     unit: string;
 *     runbook: string;
 *   };
 *   state: "OK" | "ALARM" | "NO DATA";
 *   sinceMs: number;
 *   value: number | null;
 *   suppressedBy: string | null;
 * }} Alarm
 */
/** @typedef {{ name: string; graphs: import("./graph.js").Graph[] }} Dashboard */

const SEVERITIES = ["CRITICAL", "HIGH", "MEDIUM", "LOW"];
const DEFAULT = "health";

/** @param {string} id */
const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/** @param {string} path */
async function read(path) {
  const response = await fetch(path, { cache: "no-store" });
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return response.json();
}

export class OperationsView {
  #dashboard = DEFAULT;

  /** Shows the dashboard of an address. @param {string} dashboard */
  show(dashboard) {
    this.#dashboard = dashboard || DEFAULT;
    document.title = "Operations · Millrace";
    for (const link of document.querySelectorAll("#dashboards a"))
      if (link.getAttribute("href") === `#/operations/${this.#dashboard}`) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
  }

  hide() {}

  /** Nothing of this view is live. */
  message() {
    return null;
  }

  frame() {}

  async reload() {
    await this.refresh();
  }

  async refresh() {
    const [alarms, { dashboards, stepMs }] = await Promise.all([read("operations/alarms"), read("operations/graphs")]);
    this.#showAlarms(alarms);
    this.#showGraphs(dashboards, stepMs);
  }

  /** @param {Alarm[]} alarms */
  #showAlarms(alarms) {
    const on = alarms
      .filter(({ state }) => state === "ALARM")
      .sort((a, b) => SEVERITIES.indexOf(a.spec.severity) - SEVERITIES.indexOf(b.spec.severity));
    byId("alarms").replaceChildren(...on.map(alarmRow));
    byId("alarms-empty").hidden = on.length > 0;
    const withData = alarms.filter(({ state }) => state !== "NO DATA").length;
    byId("alarms-of").textContent = `${on.length} of ${alarms.length} are on, ${alarms.length - withData} have no data`;
  }

  /** @param {Dashboard[]} dashboards @param {number} stepMs */
  #showGraphs(dashboards, stepMs) {
    const chosen = dashboards.find(({ name }) => name === this.#dashboard) ?? dashboards[0];
    byId("graphs").replaceChildren(...(chosen?.graphs ?? []).map((graph) => graphPanel(graph, stepMs)));
  }
}

/** @param {Alarm} alarm */
function alarmRow({ spec, sinceMs, value, suppressedBy }) {
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

/** @param {import("./graph.js").Graph} graph @param {number} stepMs */
function graphPanel(graph, stepMs) {
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
      entry.className = `line-${i}`;
      const last = points.at(-1);
      entry.textContent = `${label} ${last == null ? "–" : figure(last)}`;
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
