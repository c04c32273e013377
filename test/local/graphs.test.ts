import { expect, test } from "@jest/globals";
import type { MetricsSnapshot } from "../../local/counter-totals.ts";
import { Graphs, type GraphsStatus } from "../../local/graphs.ts";

const START = 1_700_000_000_000;

type Metrics = Readonly<Record<string, MetricsSnapshot>>;

/** The graphs after these seconds of metrics. */
function after(
  seconds: number,
  metricsAt: (second: number) => Metrics,
  graphs = new Graphs(["sensor"], START),
): Graphs {
  for (let second = 1; second <= seconds; second++)
    graphs.update(new Map(Object.entries(metricsAt(second))), START + second * 1_000);
  return graphs;
}

function graph({ dashboards }: GraphsStatus, title: string): GraphsStatus["dashboards"][number]["graphs"][number] {
  return dashboards.flatMap(({ graphs }) => graphs).find((each) => each.title === title)!;
}

test("there are four dashboards, without what exists on AWS alone and without pipelines that don't run", () => {
  const { dashboards } = new Graphs(["sensor"], START).status();
  expect(dashboards.map(({ name }) => name)).toEqual(["health", "performance", "errors", "capacity"]);
  const titles = dashboards.flatMap(({ graphs }) => graphs.map(({ title }) => title));
  expect(titles).toContain("Lag");
  expect(titles).not.toContain("CPU of services");
  const labels = dashboards.flatMap(({ graphs }) => graphs.flatMap(({ lines }) => lines.map(({ label }) => label)));
  expect(labels).toContain("sensor");
  expect(labels).not.toContain("market");
});

test("a point comes every five seconds, and is the growth of a minute or the highest value in it", () => {
  const status = after(70, (second) => ({
    processor: { "processor.records": second * 10, "processor.lag": second === 12 ? 9_000 : 4 },
  })).status();
  expect([status.stepMs, status.atMs]).toEqual([5_000, START + 70_000]);
  const records = graph(status, "Records in").lines[0]!.points;
  // From the first second on, 10 a second: 40 at second 5, 600 in a whole minute.
  expect([records.length, records[0], records[11], records[13]]).toEqual([14, 40, 590, 600]);
  const lag = graph(status, "Lag").lines[0]!.points;
  // The 9,000 of second 12 are in the minutes that end at seconds 15 to 70.
  expect(lag.slice(0, 4)).toEqual([4, 4, 9_000, 9_000]);
  expect(lag.at(-1)).toBe(9_000);
});

test("a graph has the threshold of its alarm, and says what good looks like", () => {
  const status = new Graphs(["sensor"], START).status();
  expect(graph(status, "Lag")).toMatchObject({
    unit: "records",
    limit: { value: 50_000, severity: "HIGH", comparison: ">" },
    good: "Some hundred, and flat",
  });
  expect(graph(status, "Commit of a transaction, p99").limit).toBeNull();
});

test("a quarter of an hour is kept, with holes where nothing was measured", () => {
  const status = after(1_000, (second) =>
    second < 990 ? {} : { bridge: { "bridge.kafka-silence": second } },
  ).status();
  const { points } = graph(status, "Kafka: oldest record without acknowledgement").lines[0]!;
  expect(points.length).toBe(180);
  expect(points.slice(-4)).toEqual([null, 990, 995, 1_000]);
});
