import { afterAll, beforeAll, expect, test } from "@jest/globals";
import type { Producer } from "kafkajs";
import { openCluster } from "../../adapters/kafka-cluster.ts";
import { newestRecords } from "../../adapters/newest-records.ts";
import { LogReader } from "../../ops/log-reader.ts";
import { testKafka } from "../bridge/harness.ts";
import { createTopics } from "../support/kafka-topics.ts";
import { sharedServers, uniqueName } from "../support/servers.ts";

const { kafkaBrokers } = sharedServers();
const kafka = testKafka(kafkaBrokers);
const topic = uniqueName("ops");
const group = uniqueName("ops-group");
let nowMs = 1_000_000;
const reader = new LogReader({ kafkaBrokers, kafkaAuth: "none", region: "local" }, () => nowMs);
let producer: Producer;

/** A record of partition 0 in each of `count` transactions, so that every second offset is a marker; ended aborted. */
async function append(partition: number, timestamps: readonly number[], isAborted = false): Promise<void> {
  const transaction = await producer.transaction();
  const messages = timestamps.map((timestamp) => ({ partition, timestamp: String(timestamp), key: "k", value: "{}" }));
  await transaction.send({ topic, messages });
  await (isAborted ? transaction.abort() : transaction.commit());
}

beforeAll(async () => {
  await createTopics(kafkaBrokers, [topic], 3);
  producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1, transactionalId: topic });
  await producer.connect();
  // Partition 0: many records, the newest of all. Partition 1: old ones, the last one aborted. Partition 2: none.
  for (let i = 0; i < 30; i++) await append(0, [2_000 + i]);
  await append(1, [1_000, 1_001]);
  await append(1, [9_999], true);
  const admin = kafka.admin();
  await admin.connect();
  await admin.setOffsets({ groupId: group, topic, partitions: [{ partition: 0, offset: "50" }] });
  await admin.disconnect();
}, 60_000);
afterAll(async () => {
  await producer?.disconnect();
  await reader.close();
});

test("the last records are the newest of all partitions, committed ones alone", async () => {
  const { records, isComplete } = await reader.records(topic, { limit: 20 });
  expect(isComplete).toBe(true);
  expect(records.map(({ partition, timestamp }) => [partition, timestamp])).toEqual(
    Array.from({ length: 20 }, (_, i) => [0, 2_029 - i]),
  );
  const all = await reader.records(topic, { limit: 50 });
  expect(all.records.map(({ timestamp }) => timestamp).slice(-3)).toEqual([2_000, 1_001, 1_000]);
});

test("those of one partition before an offset are the page before", async () => {
  const { records } = await reader.records(topic, { limit: 2, partition: 0, before: 58 });
  expect(records.map(({ offset }) => offset)).toEqual([56, 54]);
  expect((await reader.records(topic, { limit: 2, partition: 2 })).records).toEqual([]);
});

test("reading ends where too many offsets have no record", async () => {
  const cluster = openCluster(kafka);
  try {
    const found = await newestRecords(cluster, topic, { limit: 50, maxOffsets: 8 });
    expect(found.isComplete).toBe(false);
    expect(found.records.length).toBeGreaterThan(0);
  } finally {
    await cluster.disconnect();
  }
});

test("topics have their offsets, sizes and replicas, and a rate when they are read again", async () => {
  const of = async () => (await reader.topics()).find(({ name }) => name === topic)!;
  const before = await of();
  expect(before).toMatchObject({ purpose: null, retentionMs: null });
  expect(before.partitions).toMatchObject([
    { partition: 0, first: 0, next: 60, replicas: 1, inSync: 1 },
    { partition: 1, first: 0, next: 5 },
    { partition: 2, first: 0, next: 0, bytes: 0 },
  ]);
  expect(before.bytes).toBeGreaterThan(1_000);
  await append(2, [3_000, 3_001, 3_002]);
  nowMs += 2_000;
  expect((await of()).offsetsPerSecond).toBe(2);
});

test("groups have their lag in each partition, and nobody is left in one", async () => {
  const groups = await reader.groups();
  expect(groups.find((each) => each.group === group)).toEqual({
    group,
    state: "Empty",
    members: 0,
    readers: [],
    lag: 10,
    topics: [
      {
        topic,
        lag: 10,
        partitions: expect.arrayContaining([{ partition: 0, committed: 50, next: 60, lag: 10 }]),
      },
    ],
  });
  expect(groups.filter((each) => each.group === "unused")).toEqual([]);
});

test("a topic that is not there is named, and the next one is read", async () => {
  await expect(reader.records("no-such-topic", { limit: 1 })).rejects.toMatchObject({ code: "arguments-invalid" });
  expect((await reader.records(topic, { limit: 1 })).records).toHaveLength(1);
});
