import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { Admin, Kafka } from "kafkajs";
import { alterTopics } from "../../adapters/alter-topics.ts";
import { createKafka } from "../../adapters/kafka.ts";
import { readTopic } from "../../adapters/read-topic.ts";
import type { TopicSpec } from "../../domain/topics.ts";
import { applyTopics, readTopics } from "../../lambda/create-topics/apply.ts";
import { checkTransactions } from "../../lambda/produce-test/transactions.ts";
import { sharedServers, uniqueName } from "../support/servers.ts";

const LIMIT_MS = 120_000;

describe("on a real broker", () => {
  let kafka: Kafka;
  let admin: Admin;
  beforeAll(async () => {
    kafka = createKafka(
      { kafkaBrokers: sharedServers().kafkaBrokers, kafkaAuth: "none", region: "us-east-1" },
      "deployment-checks",
    );
    admin = kafka.admin();
    await admin.connect();
  }, LIMIT_MS);
  afterAll(() => admin.disconnect());

  test(
    "topics are created once, altered without setting anything back, and never widened or lost",
    async () => {
      const name = uniqueName("create-topics");
      const spec = (change: Partial<TopicSpec> = {}): TopicSpec => ({
        name,
        partitions: 2,
        cleanup: "delete",
        retentionMs: 3_600_000,
        timestampType: "LogAppendTime",
        maxMessageBytes: 500_000,
        purpose: "test",
        ...change,
      });
      expect((await applyTopics(kafka, admin, [spec()])).create.map((created) => created.name)).toEqual([name]);
      const again = await applyTopics(kafka, admin, [spec()]);
      expect([again.create, again.alter]).toEqual([[], []]);
      // A setting that somebody else gave stays: AlterConfigs would set it back.
      await alterTopics(kafka, [{ name, config: { "compression.type": "lz4" } }]);
      await applyTopics(kafka, admin, [spec({ retentionMs: 7_200_000 })]);
      const topic = (await readTopics(admin, [name])).get(name);
      expect(topic?.config).toMatchObject({
        "compression.type": "lz4",
        "retention.bytes": "-1",
        "retention.ms": "7200000",
        "message.timestamp.type": "LogAppendTime",
        "max.message.bytes": "500000",
        "cleanup.policy": "delete",
      });
      await expect(applyTopics(kafka, admin, [spec({ cleanup: "compact" })])).rejects.toThrow("cleanup.policy");
      await expect(applyTopics(kafka, admin, [spec({ partitions: 4 })])).rejects.toThrow("npm run rescale");
      expect((await readTopics(admin, [name])).get(name)?.partitions).toBe(2);
      await expect(alterTopics(kafka, [{ name, config: { "retention.ms": "soon" } }])).rejects.toThrow(
        new RegExp(`${name}: .*retention.ms`),
      );
      expect((await applyTopics(kafka, admin, [spec({ partitions: 1, retentionMs: 7_200_000 })])).notes.length).toBe(1);
    },
    LIMIT_MS,
  );

  test(
    "a cluster with transactions is found to have them, and a reader sees what was committed alone",
    async () => {
      const topic = uniqueName("check");
      await admin.createTopics({ topics: [{ topic, numPartitions: 1 }], waitForLeaders: true });
      const nonce = uniqueName("nonce");
      expect(await checkTransactions(kafka, topic, uniqueName("transaction"), nonce)).toEqual({
        nonce,
        commits: true,
        aborts: true,
        fences: true,
      });
      expect(await readTopic(kafka, topic, { groupId: uniqueName("group"), limitMs: 30_000 })).toEqual({
        records: [{ partition: 0, key: nonce, value: `${nonce}/committed` }],
        complete: true,
      });
    },
    LIMIT_MS,
  );
});
