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
