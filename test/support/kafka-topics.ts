import type { Message } from "kafkajs";
import { Partitioners } from "kafkajs";
import { testKafka } from "../bridge/harness.ts";

/**
 * Creates topics of one replica. They keep everything: the broker looks every five minutes for records that are older
 * than the retention, and tests write some of long ago.
 */
export async function createTopics(brokers: string, topics: readonly string[], numPartitions = 1): Promise<void> {
  const admin = testKafka(brokers).admin();
  await admin.connect();
  await admin.createTopics({
    waitForLeaders: true,
    topics: topics.map((topic) => ({
      topic,
      numPartitions,
      replicationFactor: 1,
      configEntries: [{ name: "retention.ms", value: "-1" }],
    })),
  });
  await admin.disconnect();
}

/** Appends messages to a topic, in order. */
export async function append(brokers: string, topic: string, messages: readonly Message[]): Promise<void> {
  const producer = testKafka(brokers).producer({ createPartitioner: Partitioners.DefaultPartitioner });
  await producer.connect();
  await producer.send({ topic, messages: [...messages] });
  await producer.disconnect();
}
