import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "@jest/globals";
import type { MSKEvent } from "aws-lambda";
import type { Cluster, Kafka, Producer } from "kafkajs";
import { openCluster } from "../../../adapters/kafka-cluster.ts";
import { createKafka } from "../../../adapters/kafka.ts";
import { createLogger } from "../../../adapters/log.ts";
import { Metrics } from "../../../adapters/metrics.ts";
import type { EventSourceMapping } from "../../../domain/event-source-mappings.ts";
import { destinationFile } from "../../../local/event-source/destination.ts";
import { KAFKA_RETRY, Poller } from "../../../local/event-source/poller.ts";
import { startServers, type Servers } from "../../../local/servers/index.ts";
import { eventually } from "../../support/eventually.ts";
import { sharedServers, uniqueName } from "../../support/servers.ts";

let folder: string;
let brokers: string;
let kafka: Kafka;
let cluster: Cluster;
let producer: Producer;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "millrace-event-source-"));
  brokers = sharedServers().kafkaBrokers;
  kafka = createKafka({ kafkaBrokers: brokers, kafkaAuth: "none", region: "local" }, "event-source-test", undefined, {
    retry: KAFKA_RETRY,
  });
  cluster = openCluster(kafka, "uncommitted");
  producer = kafka.producer();
  await producer.connect();
});
let pollers: Poller[] = [];
afterEach(async () => {
  await Promise.all(pollers.map((poller) => poller.stop()));
  pollers = [];
});
afterAll(async () => {
  await producer.disconnect();
  await cluster.disconnect();
  rmSync(folder, { recursive: true, force: true });
});

async function makeTopic(partitions: number, of = kafka): Promise<EventSourceMapping> {
  const topic = uniqueName("event-source");
  const admin = of.admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic, numPartitions: partitions }], waitForLeaders: true });
  await admin.disconnect();
  return {
    functionName: "f",
    topic,
    consumerGroup: topic,
    batchSize: 100,
    batchingWindowMs: 50,
    maximumRetryAttempts: 2,
    maximumRecordAgeMs: -1,
    bisectBatchOnError: true,
  };
}

function startPoller(
  mapping: EventSourceMapping,
  invoke: (event: MSKEvent) => Promise<unknown>,
  at = { cluster, brokers },
): Poller {
  const poller = new Poller({
    mapping,
    invoke: (event) => invoke(event as MSKEvent),
    ...at,
    onFailureDir: folder,
    log: createLogger("test", "fatal"),
    metrics: new Metrics(),
    backOff: () => 20,
  });
  pollers.push(poller);
  poller.start();
  return poller;
}

/** Records that the group has not committed, as Kafka says; infinite while the group is not known there. */
async function lagOf({ consumerGroup, topic }: EventSourceMapping): Promise<number> {
  const admin = kafka.admin();
  await admin.connect();
  try {
    const [group] = await admin.fetchOffsets({ groupId: consumerGroup, topics: [topic] });
    const committed = new Map(group!.partitions.map(({ partition, offset }) => [partition, Number(offset)]));
    return (await admin.fetchTopicOffsets(topic)).reduce(
      (sum, { partition, high }) => sum + Number(high) - Math.max(0, committed.get(partition)!),
      0,
    );
  } catch {
    return Infinity;
  } finally {
    await admin.disconnect();
  }
}

const values = (event: MSKEvent): string[] =>
  Object.values(event.records)
    .flat()
    .map(({ value }: { value?: string }) => Buffer.from(value ?? "", "base64").toString());

test("records of several partitions come in one event, and their offsets are committed afterwards", async () => {
  const mapping = await makeTopic(3);
  await producer.send({
    topic: mapping.topic,
    messages: [
      { partition: 0, key: "k", value: "a", headers: { h: "1" } },
      { partition: 2, key: null, value: null, headers: { type: "tick" } },
    ],
  });
  const events: MSKEvent[] = [];
  const poller = startPoller(mapping, async (event) => void events.push(event));
  await eventually(() => lagOf(mapping), { until: (lag) => lag === 0 });
  await poller.stop();
  pollers = [];
  const all = events.flatMap((event) => Object.entries(event.records));
  expect(Object.fromEntries(all)).toMatchObject({
    [`${mapping.topic}-0`]: [
      { partition: 0, offset: 0, key: "aw==", value: "YQ==", timestampType: "CREATE_TIME", headers: [{ h: [49] }] },
    ],
    [`${mapping.topic}-2`]: [{ partition: 2, offset: 0, headers: [{ type: [116, 105, 99, 107] }] }],
  });
  startPoller(mapping, async (event) => void events.push(event));
  await producer.send({ topic: mapping.topic, messages: [{ partition: 0, value: "b" }] });
  await eventually(() => events.flatMap(values), { until: (seen) => seen.includes("b") });
  expect(events.flatMap(values).filter((value) => value === "a")).toHaveLength(1);
}, 60_000);

test("delivery resumes at the record that the function reports, and not before it", async () => {
  const mapping = await makeTopic(1);
  await producer.send({ topic: mapping.topic, messages: ["a", "b", "c"].map((value) => ({ value })) });
  const seen: string[][] = [];
  startPoller(mapping, async (event) => {
    seen.push(values(event));
    return seen.length === 1
      ? { batchItemFailures: [{ itemIdentifier: { partition: `${mapping.topic}-0`, offset: 1 } }] }
      : { batchItemFailures: [] };
  });
  await eventually(() => lagOf(mapping), { until: (lag) => lag === 0 });
  expect(seen).toEqual([
    ["a", "b", "c"],
    ["b", "c"],
  ]);
}, 60_000);

test("bisection finds a record that the function refuses; it goes to the on-failure destination", async () => {
  const mapping = await makeTopic(2);
  const good = Array.from({ length: 20 }, (_, i) => `good-${i}`);
  await producer.send({
    topic: mapping.topic,
    messages: [...good.slice(0, 7), "poison", ...good.slice(7)].map((value) => ({ partition: 0, value })),
  });
  const done: string[] = [];
  startPoller(mapping, async (event) => {
    if (values(event).includes("poison")) {
      if (values(event).length === good.length + 1)
        await producer.send({ topic: mapping.topic, messages: [{ partition: 1, value: "other" }] });
      // Partition 0 keeps failing until partition 1 has delivered: other partitions continue.
      if (values(event).length === 1) await eventually(() => done, { until: () => done.includes("other") });
      throw new Error("can't take it");
    }
    done.push(...values(event));
  });
  await eventually(() => lagOf(mapping), { until: (lag) => lag === 0 });
  expect(done.filter((value) => value !== "other")).toEqual(good);
  expect(done).toContain("other");
  const lines = readFileSync(destinationFile(folder, mapping), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { payload: MSKEvent; requestContext: unknown; responseContext: unknown });
  expect(lines.map(({ payload }) => values(payload))).toEqual([["poison"]]);
  expect(lines[0]).toMatchObject({
    requestContext: { condition: "RetryAttemptsExhausted", approximateInvokeCount: 3 },
    responseContext: { functionError: "Error: can't take it" },
  });
}, 60_000);

test("kill -9 between deliveries loses no record", async () => {
  const mapping = { ...(await makeTopic(2)), batchSize: 5, batchingWindowMs: 5 };
  const sent = Array.from({ length: 150 }, (_, i) => `v${i}`);
  await producer.send({ topic: mapping.topic, messages: sent.map((value, i) => ({ partition: i % 2, value })) });
  const output = join(folder, mapping.topic);
  const delivered = (): string[] => (existsSync(output) ? readFileSync(output, "utf8").trim().split("\n") : []);
  for (let round = 0; ; round++) {
    const before = delivered().length;
    const child = spawn(
      process.execPath,
      [
        "--disable-warning=ExperimentalWarning",
        join(import.meta.dirname, "poller-process.ts"),
        brokers,
        output,
        JSON.stringify(mapping),
      ],
      { stdio: ["ignore", "ignore", "inherit"] },
    );
    await eventually(delivered, {
      until: (values) => values.length >= before + 60 || new Set(values).size === sent.length,
    });
    child.kill("SIGKILL");
    await once(child, "exit");
    if (new Set(delivered()).size === sent.length) break;
    expect(round).toBeLessThan(20);
  }
  expect(new Set(delivered())).toEqual(new Set(sent));
}, 120_000);

test("no record is lost when the broker is killed and comes back", async () => {
  let servers: Servers | undefined;
  let own: Producer | undefined;
  let itsCluster: Cluster | undefined;
  try {
    servers = await startServers({ which: ["kafka"], dataDir: folder });
    const settings = { kafkaBrokers: servers.kafkaBrokers, kafkaAuth: "none", region: "local" } as const;
    const itsKafka = createKafka(settings, "broker-restart", undefined, { retry: KAFKA_RETRY });
    itsCluster = openCluster(itsKafka, "uncommitted");
    const at = { cluster: itsCluster, brokers: servers.kafkaBrokers };
    own = itsKafka.producer();
    await own.connect();
    const mapping = await makeTopic(2, itsKafka);
    const done = new Set<string>();
    startPoller(
      mapping,
      async (event) => {
        for (const value of values(event)) done.add(value);
      },
      at,
    );
    await own.send({ topic: mapping.topic, messages: Array.from({ length: 50 }, (_, i) => ({ value: `a${i}` })) });
    await eventually(() => done.size, { until: (size) => size === 50 });
    await servers.server("kafka").kill();
    await servers.server("kafka").start();
    await eventually(() =>
      own!.send({ topic: mapping.topic, messages: Array.from({ length: 50 }, (_, i) => ({ value: `b${i}` })) }),
    );
    await eventually(() => done.size, { until: (size) => size === 100, limitMs: 60_000 });
  } finally {
    await Promise.all(pollers.map((poller) => poller.stop()));
    pollers = [];
    await own?.disconnect();
    await itsCluster?.disconnect();
    await servers?.stop();
  }
}, 180_000);
