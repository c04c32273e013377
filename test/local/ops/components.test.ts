import { expect, test } from "@jest/globals";
import { alarms } from "../../../domain/alarms.ts";
import type { AlarmStatus } from "../../../local/alarms.ts";
import type { MetricsSnapshot } from "../../../local/counter-totals.ts";
import { Components } from "../../../local/ops/components.ts";
import type { UnitStatus } from "../../../local/supervisor.ts";

const unit = (more: Partial<UnitStatus> = {}): UnitStatus => ({ state: "running", pid: 1, restarts: 0, ...more });
const units = new Map([
  ["kafka", unit()],
  ["processor", unit({ restarts: 2 })],
  ["bridge", unit({ state: "restarting", restarts: 1 })],
  ["live", unit()],
  ["event-source", unit()],
]);
const processor = (records: number, cpu: number): [string, MetricsSnapshot] => [
  "processor",
  {
    "processor.records": records,
    "processor.lag": 7,
    "processor.ingest-to-commit": { count: 3, p50: 1, p95: 2, p99: 120.5 },
    "program.cpu-time": cpu,
    "program.rss": 1_000,
  },
];
const health = new Map([
  [
    "processor",
    {
      status: "degraded" as const,
      components: {
        "sensor/imu-data-all/0": { status: "ok" as const },
        "sensor/imu-data-all/1": { status: "down" as const, detail: "input-lost: the log starts later" },
      },
    },
  ],
]);

function alarm(name: string, more: Partial<AlarmStatus> = {}): AlarmStatus {
  const spec = alarms.find((each) => each.name === name)!;
  return { spec, state: "ALARM", sinceMs: 5, value: 1, suppressedBy: null, changes: [], ...more };
}

function measured(): Components {
  const components = new Components(() => units);
  components.update(new Map([processor(100, 1_000)]), health, 10_000);
  components.update(new Map([processor(150, 2_000)]), health, 12_000);
  return components;
}

test("a component has its status, what is wrong, restarts and figures", () => {
  const { atMs, components } = measured().overview([]);
  expect(atMs).toBe(12_000);
  const of = (name: string) => components.find((component) => component.name === name)!;
  expect(of("processor")).toMatchObject({
    kind: "program",
    status: "degraded",
    restarts: 2,
    problems: ["sensor/imu-data-all/1: input-lost: the log starts later"],
  });
  const figures = Object.fromEntries(
    of("processor").figures.map(({ name, value, unit: u }) => [name, `${value} ${u}`]),
  );
  // 50 records and 1 s of CPU time in 2 s.
  expect(figures).toMatchObject({
    records: "25 /s",
    lag: "7 records",
    "ingest to commit p99": "120.5 ms",
    "watermark lag": "null ms",
    CPU: "50 % of a core",
    memory: "1000 bytes",
  });
  expect(of("kafka")).toMatchObject({ kind: "server", status: "ok", figures: [] });
  expect(of("bridge")).toMatchObject({ kind: "program", status: "down", state: "restarting" });
  expect(of("live")).toMatchObject({ status: "unknown" });
});

test("a rate counts on behind a restart, and covers ten seconds", () => {
  const components = new Components(() => units);
  for (const [atMs, records] of [
    [0, 0],
    [10_000, 1_000],
    [20_000, 20],
  ] as const)
    components.update(new Map([processor(records, 0)]), health, atMs);
  const { figures } = components.overview([]).components.find(({ name }) => name === "processor")!;
  expect(figures.find(({ name }) => name === "records")?.value).toBe(2);
});

test("alarms that are on are told with the components that run and that they are about, the most severe first", () => {
  const { alarms: on } = measured().overview([
    alarm("memory"),
    alarm("lag-sensor", { suppressedBy: "brokers-gone" }),
    alarm("dead-letter-flood"),
    alarm("completeness-sensor"),
    alarm("duplicates", { state: "OK" }),
  ]);
  expect(on.map(({ name, components }) => [name, components])).toEqual([
    ["dead-letter-flood", ["processor", "bridge"]],
    ["lag-sensor", ["processor"]],
    ["completeness-sensor", ["event-source"]],
    ["memory", []],
  ]);
  expect(on[1]).toMatchObject({ severity: "HIGH", runbook: "lag", sinceMs: 5, explainedBy: "brokers-gone" });
});
