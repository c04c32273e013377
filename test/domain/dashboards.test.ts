import { expect, test } from "@jest/globals";
import { serviceMetrics } from "../../domain/alarm-spec.ts";
import { alarms } from "../../domain/alarms.ts";
import { dashboards, GRAPH_PERIOD_MS, type Graph } from "../../domain/dashboards.ts";

const graphs = Object.values<readonly Graph[]>(dashboards).flat();

test("titles are unique, and every line has something to draw", () => {
  expect(new Set(graphs.map(({ title }) => title)).size).toBe(graphs.length);
  expect(graphs.flatMap(({ lines }) => lines).filter(({ figure, service }) => !figure && !service)).toEqual([]);
});

test("a threshold that is drawn is of an alarm, and counts in a minute as the graph does", () => {
  for (const { title, alarm } of graphs.filter((graph) => graph.alarm !== undefined)) {
    const spec = alarms.find(({ name }) => name === alarm);
    expect([title, spec?.name]).toEqual([title, alarm]);
    if (spec!.figure?.of === "growth" && spec!.threshold !== 0)
      expect([title, spec!.periodMs]).toEqual([title, GRAPH_PERIOD_MS]);
  }
});

test("every metric of a service is in an alarm or in a graph", () => {
  const used = new Set([...alarms, ...graphs.flatMap(({ lines }) => lines)].map(({ service }) => service));
  expect(Object.keys(serviceMetrics).filter((name) => !used.has(name as keyof typeof serviceMetrics))).toEqual([]);
});
