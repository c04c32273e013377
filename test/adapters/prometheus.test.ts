import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { startHealthServer, type Health } from "../../adapters/health.ts";
import { Metrics } from "../../adapters/metrics.ts";
import { mergePrometheusTexts } from "../../adapters/prometheus.ts";
import { labels, metrics as allMetrics, type MetricName, type MetricSpec } from "../../domain/metrics.ts";
import { prometheusName } from "../../domain/prometheus.ts";
import { pythonTools } from "../cdk/python.ts";

const names = Object.keys(allMetrics) as MetricName[];

/** Every metric of the closed set once, each value of a label included; durations of 3 and 700 ms. */
function everyMetric(program: string): Metrics {
  const metrics = new Metrics(program);
  for (const [name, { kind, label }] of Object.entries<MetricSpec>(allMetrics)) {
    if (kind === "timing") for (const ms of [3, 700]) metrics.time(name as never, ms);
    else
      for (const series of label ? labels[label].map((value) => `${name}{${label}="${value}"}`) : [name])
        metrics.observe(series as never, () => 2_000);
  }
  return metrics;
}

test.each([
  ["bridge.messages", "millrace_bridge_messages_total"],
  ["bridge.waiting-bytes", "millrace_bridge_waiting_bytes"],
  ["firehose.buffered", "millrace_firehose_buffered_bytes"],
  ["processor.lag", "millrace_processor_lag"],
  ["processor.watermark-lag", "millrace_processor_watermark_lag_seconds"],
  ["program.cpu-time", "millrace_program_cpu_time_seconds_total"],
  ["program.heap-share", "millrace_program_heap_share_ratio"],
] as const)("%s is %s", (name, expected) => {
  expect(prometheusName(name)).toBe(expected);
});

test("no two metrics have one name", () => {
  expect(new Set(names.map(prometheusName)).size).toBe(names.length);
});

test("values are in base units, with program and label", async () => {
  const metrics = new Metrics("bridge");
  metrics.add('bridge.dead-letters{code="invalid-json"}', 3);
  metrics.set("processor.watermark-lag", 1_500);
  metrics.set("program.heap-share", 25);
  expect(await metrics.prometheus()).toBe(`# HELP millrace_bridge_dead_letters_total \
MQTT messages that the bridge dead-lettered
# TYPE millrace_bridge_dead_letters_total counter
millrace_bridge_dead_letters_total{code="invalid-json",program="bridge"} 3

# HELP millrace_processor_watermark_lag_seconds \
partition clock less the newest watermark, largest of the owned partitions
# TYPE millrace_processor_watermark_lag_seconds gauge
millrace_processor_watermark_lag_seconds{program="bridge"} 1.5

# HELP millrace_program_heap_share_ratio used part of V8's heap over its limit
# TYPE millrace_program_heap_share_ratio gauge
millrace_program_heap_share_ratio{program="bridge"} 0.25
`);
});

test("a timing is a histogram, whose buckets have all durations up to their bound", async () => {
  const metrics = new Metrics("bridge");
  for (const ms of [1, 3, 700, 1_000_000]) metrics.time("bridge.publish-latency", ms);
  const lines = (await metrics.prometheus()).split("\n");
  const name = "millrace_bridge_publish_latency_seconds";
  const bucket = (le: string, count: number): string => `${name}_bucket{le="${le}",program="bridge"} ${count}`;
  expect(lines).toEqual(
    expect.arrayContaining([
      `# TYPE ${name} histogram`,
      bucket("0.001", 1),
      bucket("0.002", 1),
      bucket("0.005", 2),
      bucket("0.5", 2),
      bucket("1", 3),
      bucket("300", 3),
      bucket("+Inf", 4),
      `${name}_sum{program="bridge"} 1000.704`,
      `${name}_count{program="bridge"} 4`,
    ]),
  );
});

test("texts of several programs become one, each metric with one help and type", async () => {
  const one = new Metrics("processor");
  const two = new Metrics("processor-market");
  one.set("processor.lag", 1);
  two.set("processor.lag", 2);
  two.add("processor.restarts");
  expect(mergePrometheusTexts([await one.prometheus(), "", await two.prometheus()])).toBe(
    `# HELP millrace_processor_lag records that are not processed yet, all owned partitions
# TYPE millrace_processor_lag gauge
millrace_processor_lag{program="processor"} 1
millrace_processor_lag{program="processor-market"} 2

# HELP millrace_processor_restarts_total task restarts
# TYPE millrace_processor_restarts_total counter
millrace_processor_restarts_total{program="processor-market"} 1
`,
  );
});

const tools = pythonTools();
const inPython = `
import json, sys
from prometheus_client.parser import text_string_to_metric_families
families = text_string_to_metric_families(sys.stdin.read())
samples = lambda family: [[s.name, s.labels, s.value] for s in family.samples]
print(json.dumps([[f.name, f.type, f.documentation, samples(f)] for f in families]))
`;
type Family = [name: string, type: string, help: string, samples: [string, Record<string, string>, number][]];

(tools ? test : test.skip)(
  "Prometheus' own parser reads every metric with its name, type, doc and labels",
  async () => {
    const text = mergePrometheusTexts([await everyMetric("one").prometheus(), await everyMetric("two").prometheus()]);
    const parsed = spawnSync(join(tools!, "python"), ["-c", inPython], { input: text, encoding: "utf8" });
    expect(parsed.stderr).toBe("");
    const families = JSON.parse(parsed.stdout) as Family[];
    const types = { counter: "counter", gauge: "gauge", timing: "histogram" };
    const inSet = Object.entries<MetricSpec>(allMetrics).map(([name, { kind, doc }]) => [
      // The parser takes the suffix of a counter for a part of its type.
      prometheusName(name as MetricName).replace(/_total$/, ""),
      types[kind],
      doc,
    ]);
    expect(new Set(families.map(([name, type, help]) => [name, type, help]))).toEqual(new Set(inSet));
    expect(families).toHaveLength(inSet.length);
    const samples = families.flatMap(([, , , each]) => each);
    for (const [name, { label }] of Object.entries<MetricSpec>(allMetrics)) {
      if (label === undefined) continue;
      const values = samples.filter(([sample]) => sample === prometheusName(name as MetricName)).map(([, own]) => own);
      expect(values.map((own) => own[label]).toSorted()).toEqual([...labels[label], ...labels[label]].toSorted());
      expect(new Set(values.map(({ program }) => program))).toEqual(new Set(["one", "two"]));
    }
  },
);

describe("a health server", () => {
  let url: string;
  let close: () => void;
  beforeAll(async () => {
    const health = (): Health => ({ status: "ok", components: {} });
    const metrics = new Metrics("test");
    metrics.add("program.starts");
    const server = await startHealthServer(0, "127.0.0.1", health, metrics);
    const { port } = server.address() as { port: number };
    url = `http://127.0.0.1:${port}`;
    close = () => void server.close();
  });
  afterAll(() => {
    close();
  });

  test("gives Prometheus' format, and JSON to who accepts it", async () => {
    const text = await fetch(`${url}/metrics`);
    expect(text.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
    expect(await text.text()).toContain('\nmillrace_program_starts_total{program="test"} 1\n');
    const json = await fetch(`${url}/metrics`, { headers: { accept: "application/json" } });
    expect(json.headers.get("content-type")).toBe("application/json");
    expect(await json.json()).toEqual({ "program.starts": 1 });
  });

  test("has no other path", async () => {
    expect((await fetch(`${url}/`)).status).toBe(404);
    expect(await (await fetch(`${url}/health`)).json()).toEqual({ status: "ok", components: {} });
  });
});
