import { expect, test } from "@jest/globals";
import { StatusMetricsTracker, RecentLatencies } from "../../local/status-metrics.ts";
import { statusLine } from "../../local/status.ts";

const snapshots = (
  processor: Record<string, unknown>,
  bridge: Record<string, unknown> = {},
): Map<string, Record<string, unknown>> =>
  new Map([
    ["processor", processor],
    ["bridge", bridge],
  ]);

test("rates are counts since the update before, per second", () => {
  const tracker = new StatusMetricsTracker();
  tracker.update(snapshots({ "processor.readings": 1_000, "processor.windows": 10 }), 0);
  const metrics = tracker.update(
    snapshots({ "processor.readings": 5_000, "processor.windows": 50, "processor.lag": 7 }),
    2_000,
  );
  expect(metrics).toMatchObject({ readingsPerSecond: 2_000, windowsPerSecond: 20, lag: 7 });
});

test("the total keeps what a program counted before its restart", () => {
  const tracker = new StatusMetricsTracker();
  tracker.update(
    snapshots({ "processor.sessions-started": 20, "processor.dead-letters": 1 }, { "bridge.dead-letters": 2 }),
    0,
  );
  tracker.update(new Map(), 1_000);
  const metrics = tracker.update(
    snapshots({ "processor.sessions-started": 3, "processor.dead-letters": 0 }, { "bridge.dead-letters": 4 }),
    2_000,
  );
  expect(metrics).toMatchObject({ sessionsStarted: 23, deadLetters: 5 });
});

test("trades are those of the market's processor, and lag and dead letters are of both", () => {
  const tracker = new StatusMetricsTracker();
  const market = (readings: number) => ({ "processor.readings": readings, "processor.lag": 5, "processor.windows": 9 });
  const both = (readings: number) =>
    new Map<string, Record<string, unknown>>([
      ["processor", { "processor.readings": 7 * readings, "processor.lag": 2, "processor.dead-letters": 1 }],
      ["processor-market", { ...market(readings), "processor.dead-letters": 3 }],
    ]);
  expect(tracker.update(snapshots({}), 0).tradesPerSecond).toBeUndefined();
  tracker.update(both(100), 1_000);
  expect(tracker.update(both(300), 3_000)).toEqual({
    readingsPerSecond: 700,
    windowsPerSecond: 0,
    sessionsStarted: 0,
    tradesPerSecond: 100,
    deadLetters: 4,
    lag: 7,
  });
});

test("percentiles use the nearest rank, and only the last seconds", () => {
  const latencies = new RecentLatencies(10_000);
  latencies.add(9_999, 0);
  for (let i = 1; i <= 200; i++) latencies.add(i, 15_000);
  expect(latencies.percentiles(20_000)).toEqual({ p50: 100, p99: 198 });
  expect(latencies.percentiles(99_000)).toEqual({ p50: undefined, p99: undefined });
});

test("the status line shows metrics, restarts, and what is not running or not healthy", () => {
  const metrics = {
    readingsPerSecond: 40_012.3,
    windowsPerSecond: 19.6,
    sessionsStarted: 21,
    tradesPerSecond: undefined,
    deadLetters: 3,
    lag: 12,
  };
  const units = new Map([
    ["kafka", { state: "restarting" as const, pid: 1, restarts: 2 }],
    ["live", { state: "running" as const, pid: 2, restarts: 1 }],
  ]);
  const health = new Map([
    ["live", "degraded"],
    ["gateway", "ok"],
  ]);
  expect(statusLine(metrics, { p50: 8.25, p99: 41.7 }, units, health)).toBe(
    "in 40,012 readings/s · out 20 windows/s · sessions 21 · latency p50 8.3 p99 42 ms · dead letters 3 · lag 12 · " +
      "restarts 3 · restarting: kafka · degraded: live",
  );
  expect(statusLine({ ...metrics, tradesPerSecond: 499.7 }, { p50: 1, p99: 2 }, units, health)).toContain(
    "sessions 21 · trades 500/s · latency",
  );
});
