import { setTimeout as sleep } from "node:timers/promises";
import { Partitioners, type Kafka, type Message, type Producer } from "kafkajs";
import type { Sender } from "../bridge.ts";
import type { BridgeRecord } from "../to-record.ts";

/** How long a broker may wait for its replicas. (The client's `requestTimeout` bounds the wait for the answer.) */
const ACKNOWLEDGE_LIMIT_MS = 5_000;
/** Closing a connection to a broker that is gone may take for ever. */
const DISCONNECT_LIMIT_MS = 2_000;
/**
 * The retries of kafkajs lose records when leaders change. A retry takes a broker's answer to the earlier attempt as
 * its answer for all partitions that it leads now. The records of a partition that the broker has come to lead
 * meanwhile are then never sent, yet reported as written. The accumulator retries instead, with the whole batch.
 */
const NO_RETRY = { retries: 0 } as const;

/**
 * Appends records, acknowledged by all in-sync replicas. Keys choose partitions as in Java (murmur2).
 *
 * The producer is not idempotent. After an error kafkajs takes back its sequence numbers for all partitions of the
 * request, although some of them may have been written. Kafka would then silently drop a later batch that reuses those
 * numbers. The processor drops duplicates anyway, so sending twice is safe.
 */
export class KafkaSender implements Sender {
  readonly #kafka: Kafka;
  #producer: Producer | null = null;

  constructor(kafka: Kafka) {
    this.#kafka = kafka;
  }

  async send(records: readonly BridgeRecord[]): Promise<void> {
    this.#producer ??= await this.#connect();
    const byTopic = new Map<string, Message[]>();
    for (const { topic, partition, key, value, headers } of records) {
      let messages = byTopic.get(topic);
      if (!messages) byTopic.set(topic, (messages = []));
      messages.push({ key, value, headers, ...(partition === undefined ? {} : { partition }) });
    }
    await this.#producer.sendBatch({
      acks: -1,
      timeout: ACKNOWLEDGE_LIMIT_MS,
      topicMessages: [...byTopic].map(([topic, messages]) => ({ topic, messages })),
    });
  }

  async restart(): Promise<void> {
    await this.close();
    this.#producer = await this.#connect();
  }

  async close(): Promise<void> {
    const producer = this.#producer;
    this.#producer = null;
    if (producer) await withLimit(producer.disconnect());
  }

  async partitionCounts(topics: readonly string[]): Promise<Map<string, number>> {
    const admin = this.#kafka.admin();
    try {
      await admin.connect();
      const existing = new Set(await admin.listTopics());
      const metadata = await admin.fetchTopicMetadata({ topics: topics.filter((topic) => existing.has(topic)) });
      return new Map(metadata.topics.map(({ name, partitions }) => [name, partitions.length]));
    } finally {
      await withLimit(admin.disconnect());
    }
  }

  async #connect(): Promise<Producer> {
    const producer = this.#kafka.producer({
      allowAutoTopicCreation: false,
      createPartitioner: Partitioners.DefaultPartitioner,
      retry: NO_RETRY,
    });
    try {
      await producer.connect();
    } catch (error) {
      await withLimit(producer.disconnect());
      throw error;
    }
    return producer;
  }
}

async function withLimit(closing: Promise<void>): Promise<void> {
  await Promise.race([closing.catch(() => undefined), sleep(DISCONNECT_LIMIT_MS, undefined, { ref: false })]);
}
