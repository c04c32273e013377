import { expect, test } from "@jest/globals";
import { createLogger } from "../../../adapters/log.ts";
import { Metrics } from "../../../adapters/metrics.ts";
import { defaultSemantics } from "../../../domain/semantics.ts";
import { sensorMachineFactory } from "../../../processor/adapters/machine-factory.ts";
import { engineObserver } from "../../../processor/adapters/observer.ts";
import { stepAll, type InputRecord, type StateMachine } from "../../../processor/runtime/machine.ts";

const NOW = 1_657_533_977_000;
let offset = 0;
const message = (key: string, t: number, timestamp: number): InputRecord => ({
  partition: 0,
  offset: offset++,
  timestamp,
  key: Buffer.from(key),
  value: Buffer.from(JSON.stringify({ seq: 0, t: [t], samples: [[0, 0, 9.8, 0, 0, 0]] })),
  headers: {},
});
const machine = (partition: number): Promise<StateMachine> =>
  Promise.resolve(sensorMachineFactory(defaultSemantics).create({ partition, restored: null, failures: new Map() }));

test("gauges cover the running tasks: the sum of lags and of sensors, and the largest watermark lag", async () => {
  const metrics = new Metrics();
  const observer = engineObserver(createLogger("test", "error"), metrics);
  const [one, two] = [await machine(0), await machine(1)];
  observer.running!("one", one);
  observer.running!("two", two);
  observer.stepped("one", 2, await stepAll(one, [message("a", NOW, NOW + 100), message("b", NOW + 50, NOW + 100)]));
  observer.stepped("two", 1, await stepAll(two, [message("c", NOW - 4_000, NOW)]));
  observer.committed("one", { nextOffset: 2, latencyMs: 3, lag: 7 });
  observer.committed("two", { nextOffset: 3, latencyMs: 3, lag: 5 });
  // one: 100 − (50 − 500); two: 0 − (−4000 − 500)
  expect(metrics.snapshot()).toMatchObject({
    "processor.readings": 3,
    "processor.records": 3,
    "processor.lag": 12,
    "processor.sensors": 3,
    "processor.watermark-lag": 4_500,
  });
  observer.ended!("two");
  expect(metrics.snapshot()).toMatchObject({
    "processor.readings": 3,
    "processor.lag": 7,
    "processor.sensors": 2,
    "processor.watermark-lag": 550,
  });
});

test("a transaction's latency counts from ingest of its first record, and snapshots by their age and time", () => {
  const metrics = new Metrics();
  const observer = engineObserver(createLogger("test", "error"), metrics);
  const first = message("a", NOW, Date.now() - 5_000);
  const facts = { nextOffset: 1, latencyMs: 3, lag: 0 };
  observer.committed("one", facts);
  expect(metrics.snapshot()["processor.ingest-to-commit"]).toBeUndefined();
  observer.committed("one", { ...facts, first: { ...first, headers: { "ingest-ms": String(Date.now() - 9_000) } } });
  observer.committed("one", { ...facts, first });
  const { count, p99 } = metrics.snapshot()["processor.ingest-to-commit"] as { count: number; p99: number };
  expect(count).toBe(2);
  expect(p99).toBeGreaterThanOrEqual(9_000);
  expect(p99).toBeLessThan(10_000);
  expect(metrics.snapshot()["processor.snapshot-age"]).toBeUndefined();
  observer.snapshotFailed!("one");
  observer.snapshotWritten("one", { bytes: 10, milliseconds: 40 });
  expect(metrics.snapshot()).toMatchObject({
    "processor.tasks": 1,
    "processor.snapshots": 1,
    "processor.snapshot-failures": 1,
    "processor.snapshot-duration": { count: 1, p50: 40 },
    "processor.snapshot-bytes": 10,
  });
  expect(metrics.snapshot()["processor.snapshot-age"]).toBeLessThan(1_000);
});

test("dead letters are counted by their code, and in all", async () => {
  const metrics = new Metrics();
  const observer = engineObserver(createLogger("test", "error"), metrics);
  const one = await machine(0);
  observer.running!("one", one);
  const letters = ["{", "[", "{}"].map((text) => ({ ...message("a", NOW, NOW), value: Buffer.from(text) }));
  const outputs = await stepAll(one, letters);
  observer.stepped("one", 3, outputs);
  expect(metrics.snapshot()).toMatchObject({
    "processor.dead-letters": 3,
    'processor.dead-letters{code="invalid-json"}': 2,
    'processor.dead-letters{code="invalid-message"}': 1,
  });
});
