import { expect, test } from "@jest/globals";
import { Metrics } from "../../adapters/metrics.ts";
import { programMetrics } from "../../adapters/program-metrics.ts";
import { Timings } from "../../adapters/timings.ts";
import { seriesParts } from "../../domain/metrics.ts";

test("a metric with a label has each of its values, and their sum under its name", () => {
  const metrics = new Metrics();
  metrics.add('bridge.dead-letters{code="invalid-json"}', 2);
  metrics.add('bridge.dead-letters{code="payload-too-large"}');
  metrics.add("bridge.messages");
  metrics.observe("bridge.in-flight", () => 7);
  metrics.observe("bridge.waiting-bytes", () => undefined);
  expect(metrics.snapshot()).toEqual({
    "bridge.dead-letters": 3,
    'bridge.dead-letters{code="invalid-json"}': 2,
    'bridge.dead-letters{code="payload-too-large"}': 1,
    "bridge.messages": 1,
    "bridge.in-flight": 7,
  });
});

test("a series is a metric, with the value of its label if it has one", () => {
  expect(seriesParts("bridge.messages")).toEqual({ name: "bridge.messages", label: undefined });
  expect(seriesParts('event-source.group-lag{group="millrace-write-lake.imu-data-all"}')).toEqual({
    name: "event-source.group-lag",
    label: { name: "group", value: "millrace-write-lake.imu-data-all" },
  });
});

test("percentiles forget what is older than they keep, and the count does not", () => {
  let now = 0;
  const timings = new Timings(60_000, () => now);
  timings.add(9_000);
  now = 30_000;
  timings.add(10);
  timings.add(20);
  expect(timings.percentiles()).toEqual({ p50: 20, p95: 9_000, p99: 9_000 });
  now = 60_001;
  expect(timings.percentiles()).toEqual({ p50: 20, p95: 20, p99: 20 });
  now = 90_001;
  expect(timings.percentiles()).toEqual({ p50: 0, p95: 0, p99: 0 });
  expect(timings.count).toBe(3);
});

test("every program reports its process", () => {
  const metrics = programMetrics("test");
  const snapshot = metrics.snapshot() as Record<string, number>;
  expect(snapshot["program.starts"]).toBe(1);
  expect(snapshot["program.cpu-time"]).toBeGreaterThan(0);
  expect(snapshot["program.rss"]).toBeGreaterThan(snapshot["program.heap-used"]!);
  expect(snapshot["program.heap-share"]).toBeGreaterThan(0);
  expect(snapshot["program.heap-share"]).toBeLessThan(100);
});
