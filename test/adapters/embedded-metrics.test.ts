import { afterEach, beforeEach, expect, jest, test } from "@jest/globals";
import { EmbeddedMetrics, MAX_VALUES } from "../../adapters/embedded-metrics.ts";
import { Metrics } from "../../adapters/metrics.ts";
import { labels, metrics as allMetrics, type MetricSpec } from "../../domain/metrics.ts";

interface Line extends Record<string, unknown> {
  readonly _aws: {
    readonly Timestamp: number;
    readonly CloudWatchMetrics: readonly {
      readonly Namespace: string;
      readonly Dimensions: readonly (readonly string[])[];
      readonly Metrics: readonly { Name: string; Unit?: string; StorageResolution?: number }[];
    }[];
  };
}

let written: string;
beforeEach(() => {
  written = "";
  jest.spyOn(process.stdout, "write").mockImplementation((text) => {
    written += String(text);
    return true;
  });
});
afterEach(() => {
  jest.restoreAllMocks();
});

/** The lines since the last call. */
function lines(): Line[] {
  const texts = written.split("\n").filter(Boolean);
  written = "";
  return texts.map((text) => JSON.parse(text) as Line);
}
const everyTier = [1, 2, 3] as const;
const dimensions = { environment: "dev", program: "processor" };
const aDirective = (line: Line): Line["_aws"]["CloudWatchMetrics"][number] => line._aws.CloudWatchMetrics[0]!;
const namesIn = (line: Line): string[] => aDirective(line).Metrics.map(({ Name }) => Name);

test("a line has a tier's metrics: what counters grew by, gauges, durations; and nothing twice", () => {
  const metrics = new Metrics();
  const embedded = new EmbeddedMetrics(metrics, dimensions);
  embedded.write(everyTier);
  expect(lines()).toEqual([]);
  metrics.add("processor.records", 3);
  metrics.set("processor.tasks", 9);
  metrics.set("processor.lag", 7);
  for (const ms of [30, 10, 20]) metrics.time("processor.commit-latency", ms);
  embedded.write([1]);
  expect(lines()).toEqual([
    {
      _aws: {
        Timestamp: expect.any(Number),
        CloudWatchMetrics: [
          {
            Namespace: "Millrace",
            Dimensions: [["environment", "program"]],
            Metrics: [
              { Name: "processor.records", Unit: "Count", StorageResolution: 1 },
              { Name: "processor.lag", Unit: "Count", StorageResolution: 1 },
              { Name: "processor.commit-latency", Unit: "Milliseconds", StorageResolution: 1 },
            ],
          },
        ],
      },
      ...dimensions,
      "processor.records": 3,
      "processor.lag": 7,
      "processor.commit-latency": [10, 20, 30],
    },
  ]);
  metrics.add("processor.records", 2);
  embedded.write([1]);
  expect(lines()).toMatchObject([{ "processor.records": 2, "processor.lag": 7 }]);
  embedded.write([2]);
  const [line] = lines();
  expect(line).toMatchObject({ "processor.tasks": 9 });
  expect(aDirective(line!).Metrics).toEqual([{ Name: "processor.tasks", Unit: "Count" }]);
});

test("each value of a label has a line with it as a dimension, and their sum none", () => {
  const metrics = new Metrics();
  const embedded = new EmbeddedMetrics(metrics, dimensions);
  metrics.add('processor.dead-letters{code="invalid-json"}', 2);
  metrics.add('processor.dead-letters{code="out-of-range"}', 5);
  embedded.write([1]);
  const read = (line: Line): unknown[] => [aDirective(line).Dimensions, line["code"], line["processor.dead-letters"]];
  expect(lines().map(read)).toEqual([
    [[["environment", "program", "code"]], "invalid-json", 2],
    [[["environment", "program", "code"]], "out-of-range", 5],
    [[["environment", "program"]], undefined, 7],
  ]);
});

test("of many durations a line has 99, evenly spaced in rank, the least and the most among them", () => {
  const metrics = new Metrics();
  const embedded = new EmbeddedMetrics(metrics, dimensions);
  for (let ms = 980; ms >= 0; ms--) metrics.time("processor.commit-latency", ms);
  embedded.write([1]);
  const [line, ...more] = lines();
  expect(more).toEqual([]);
  const values = line!["processor.commit-latency"] as number[];
  // Ranks 0, 10, 20, …, 980.
  expect(values).toEqual(Array.from({ length: 99 }, (_, i) => 10 * i));
  expect(values).toHaveLength(MAX_VALUES);
});

/**
 * What CloudWatch's specification of the embedded metric format demands of a line:
 * https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
 */
function problemsOf(line: Line): string[] {
  const problems: string[] = [];
  const demand = (isMet: boolean, what: string): void => void (isMet || problems.push(what));
  demand(Number.isInteger(line._aws.Timestamp), "timestamp in whole milliseconds");
  demand(Buffer.byteLength(JSON.stringify(line)) <= 256 * 1024, "size of a log event");
  for (const { Namespace, Dimensions, Metrics } of line._aws.CloudWatchMetrics) {
    demand(Namespace.length >= 1 && Namespace.length <= 1_024, "namespace");
    demand(Dimensions.length > 0, "a dimension set");
    for (const set of Dimensions) {
      demand(set.length <= 30, "30 dimensions");
      for (const name of set) {
        const value = line[name];
        demand(name.length <= 250, `name of ${name}`);
        demand(typeof value === "string" && value.length >= 1 && value.length <= 1_024, `value of ${name}`);
      }
    }
    demand(Metrics.length <= 100, "100 metrics");
    for (const { Name, Unit, StorageResolution } of Metrics) {
      const value = line[Name];
      const isNumbers = Array.isArray(value) && value.length <= 100 && value.every((each) => Number.isFinite(each));
      demand(Number.isFinite(value) || isNumbers, `value of ${Name}`);
      demand(["Count", "Milliseconds", "Bytes", "Percent"].includes(Unit!), `unit of ${Name}`);
      demand([undefined, 1, 60].includes(StorageResolution), `resolution of ${Name}`);
    }
  }
  return problems;
}

test("all metrics at once follow CloudWatch's specification, and none is lost", () => {
  const metrics = new Metrics();
  const embedded = new EmbeddedMetrics(metrics, dimensions);
  for (const [name, { kind, label }] of Object.entries<MetricSpec>(allMetrics)) {
    if (kind === "timing") for (let ms = 0; ms < 5_000; ms++) metrics.time(name as never, ms / 3);
    else
      for (const series of label ? labels[label].map((value) => `${name}{${label}="${value}"}`) : [name])
        metrics.observe(series as never, () => 1e9);
  }
  embedded.write(everyTier);
  const all = lines();
  expect(all.flatMap(problemsOf)).toEqual([]);
  const names = new Set(all.filter((line) => aDirective(line).Dimensions[0]!.length === 2).flatMap(namesIn));
  expect(names).toEqual(new Set(Object.keys(allMetrics)));
  for (const [name, { tier }] of Object.entries<MetricSpec>(allMetrics)) {
    const own = all.flatMap((line) => aDirective(line).Metrics).filter(({ Name }) => Name === name);
    expect([name, own.every(({ StorageResolution }) => (StorageResolution === 1) === (tier === 1))]).toEqual([
      name,
      true,
    ]);
  }
});

test("at least 40 metrics of the programs on AWS reach CloudWatch", () => {
  const onAws = ["audit-output", "bridge", "live", "processor", "program"];
  expect(Object.keys(allMetrics).filter((name) => onAws.includes(name.split(".")[0]!)).length).toBeGreaterThan(40);
});
