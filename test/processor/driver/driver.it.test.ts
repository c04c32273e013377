import { setTimeout as delay } from "node:timers/promises";
import { afterEach, expect, test } from "@jest/globals";
import { openCluster } from "../../../adapters/kafka-cluster.ts";
import { fetchRecords } from "../../../adapters/kafka-records.ts";
import { createKafka } from "../../../adapters/kafka.ts";
import { defaultSemantics } from "../../../domain/semantics.ts";
import { headers, topics } from "../../../domain/topics.ts";
import { sensorMachineFactory } from "../../../processor/adapters/machine-factory.ts";
import { PipelineDriver } from "../../../processor/driver/driver.ts";
import { driverOnKafka } from "../../../processor/driver/on-kafka.ts";
import { interceptPorts, type PortCall } from "../../../processor/engine/intercept.ts";
import type { TaskOutput, TaskPorts } from "../../../processor/engine/ports.ts";
import { sharedServers } from "../../support/servers.ts";
import { driverStories, failing, type Step, stream } from "./driver-stories.ts";
import { marketStories } from "./market-stories.ts";

driverStories("on Kafka", (factory) => driverOnKafka(factory, sharedServers()));
marketStories("on Kafka", (factory) => driverOnKafka(factory, sharedServers()));

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

test("Kafka's topics have, byte for byte, the outputs of the driver in memory", async () => {
  const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  const steps: Step[] = [
    ...stream,
    (driver) =>
      driver.record({ key: "s1", value: "boom", headers: { note: "ünïcode", [headers.traceparent]: traceparent } }),
    (driver) => driver.record({ key: null, value: Uint8Array.of(0, 0xff) }),
    (driver) =>
      driver.record({
        key: "s3",
        value: {
          seq: 0,
          boot: "b",
          t: driver.clock,
          hz: 100,
          samples: Array.from({ length: 50 }, (_, i) => [i / 7, -i / 3, 9.81, 0.1, 1e-7, 0]),
        },
        headers: { [headers.traceparent]: traceparent },
      }),
    (driver) => driver.snapshot(),
    (driver) => Promise.resolve(driver.crash()),
    (driver) => driver.advanceClock(11_000),
    (driver) => driver.restore(),
  ];
  const onKafka = await driverOnKafka(failing, sharedServers());
  cleanups.push(() => onKafka.close());
  const inMemory = new PipelineDriver(failing);
  for (const driver of [onKafka, inMemory]) for (const step of steps) await step(driver);
  const lines = (driver: PipelineDriver): string[] =>
    driver.raw.map(
      ({ topic, key, value, headers: written }) =>
        `${topic} ${key?.toString("hex")} ${value?.toString("hex")} ${JSON.stringify(Object.entries(written))}`,
    );
  expect(new Set(inMemory.raw.map(({ topic }) => topic))).toEqual(
    new Set([topics.aggregated.name, topics.sessions.name, topics.transformed.name, topics.deadLetter.name]),
  );
  expect(lines(onKafka)).toEqual(lines(inMemory));
});

const reading = (t: number, offset: number): object => ({ seq: offset, t: [t], samples: [[0, 0, 9.8, 0, 0, 0]] });
const started = (driver: PipelineDriver): unknown[] =>
  driver.outputs(topics.sessions.name).map(({ value }) => value["sessionId"]);

/** A driver whose first owner has ports with an injected fault. */
async function faultyDriver(inject: (ports: TaskPorts) => TaskPorts): Promise<PipelineDriver> {
  let injected = false;
  const wrap = (ports: TaskPorts): TaskPorts => {
    if (injected) return ports;
    injected = true;
    return inject(ports);
  };
  const driver = await driverOnKafka(sensorMachineFactory({ ...defaultSemantics, earliestTimeMs: 0 }), {
    ...sharedServers(),
    wrap,
  });
  cleanups.push(() => driver.close());
  return driver;
}

function withCommit({ input, output, snapshots }: TaskPorts, commit: TaskOutput["commit"]): TaskPorts {
  return {
    input,
    snapshots,
    output: {
      standing: () => output.standing(),
      hold: (hold) => output.hold(hold),
      fence: () => output.fence(),
      claim: (token, attempt) => output.claim(token, attempt),
      attempt: (attempt) => output.attempt(attempt),
      send: (outputs) => output.send(outputs),
      commit,
      discard: () => output.discard(),
    },
  };
}

test("the dead owner can't commit a transaction that a crash left open, and the next owner aborts it", async () => {
  const [sent, crashed, afterwards] = [
    Promise.withResolvers<void>(),
    Promise.withResolvers<void>(),
    Promise.withResolvers<string>(),
  ];
  const driver = await faultyDriver((ports) =>
    withCommit(ports, async (progress, last) => {
      await ports.output.send(last);
      sent.resolve();
      await crashed.promise;
      const tried = ports.output.commit(progress, []);
      afterwards.resolve(
        tried.then(
          () => "committed",
          () => "no effect",
        ),
      );
      await tried;
    }),
  );
  const underWay = driver.advanceEventTime("s1", 1_000, reading);
  await sent.promise;
  driver.crash();
  crashed.resolve();
  await underWay;
  expect(await afterwards.promise).toBe("no effect");
  expect(await readersOf(topics.sessions.name)).toEqual({ written: 1, committed: 0 });
  await driver.restore();
  expect(started(driver)).toEqual(["s1@1000"]);
});

test("a crash within a snapshot ends it there, and the next owner continues from the log", async () => {
  const [reached, crashed] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const calls: PortCall[] = [];
  const driver = await faultyDriver((ports) =>
    interceptPorts(ports, async (call, work) => {
      calls.push(call);
      if (call === "segment:put") {
        reached.resolve();
        await crashed.promise;
      }
      return work();
    }),
  );
  await driver.advanceEventTime("s1", 1_000, reading);
  const underWay = driver.snapshot();
  await reached.promise;
  driver.crash();
  crashed.resolve();
  await underWay;
  await driver.restore();
  await driver.advanceEventTime("s1", 2_500, reading);
  expect(calls.slice(calls.indexOf("segment:put"))).toEqual(["segment:put"]);
  expect(driver.outputs(topics.aggregated.name).map(({ value }) => [value["id"], value["count"]])).toEqual([
    ["imu-data-all/0/1/0", 1],
  ]);
  expect(started(driver)).toEqual(["s1@1000"]);
});

test("the driver waits for outputs that Kafka has but does not show yet", async () => {
  let committed: Promise<void> = Promise.resolve();
  const driver = await faultyDriver((ports) =>
    withCommit(ports, async (progress, last) => {
      await ports.output.send(last);
      committed = delay(300).then(() => ports.output.commit(progress, []));
    }),
  );
  await driver.advanceEventTime("s1", 1_000, reading);
  expect(started(driver)).toEqual(["s1@1000"]);
  await committed;
});

/** Records in a topic of the driver that is open: all that are written, and those that committed readers see. */
async function readersOf(topic: string): Promise<{ written: number; committed: number }> {
  const kafka = createKafka({ kafkaBrokers: sharedServers().kafkaBrokers, kafkaAuth: "none", region: "local" }, "test");
  const [admin, cluster] = [kafka.admin(), openCluster(kafka)];
  await Promise.all([admin.connect(), cluster.connect()]);
  try {
    const name = (await admin.listTopics()).find((each) => each.startsWith("driver-") && each.endsWith(`.${topic}`))!;
    await cluster.addTargetTopic(name);
    const { highWatermark, records } = await fetchRecords(cluster, name, 0, 0);
    return { written: highWatermark, committed: records.length };
  } finally {
    await Promise.all([admin.disconnect(), cluster.disconnect()]);
  }
}
