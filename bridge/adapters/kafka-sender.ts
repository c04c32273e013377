import { setTimeout as sleep } from "node:timers/promises";
import { Partitioners, type Kafka, type Message, type Producer } from "kafkajs";
import type { RecordSender } from "../outbox.ts";
import type { BridgeRecord } from "../to-record.ts";

/** How long a broker may wait for its replicas, and this program for the answer. */
const ACKNOWLEDGE_LIMIT_MS = 5_000;
/** A connection of a broker that is gone may never close. */
const DISCONNECT_LIMIT_MS = 2_000;
/**
 * When leaders change, a retry of kafkajs takes a broker's answer to an earlier attempt for its answer to all that it
 * leads by now: records of a partition that has come to it meanwhile are never sent, and reported as written. The
 * outbox sends again, all of it.
 */
const NO_RETRY = { retries: 0 } as const;

/**
 * Appends records, acknowledged by all in-sync replicas; keys choose partitions as in Java (murmur2). The producer is
 * not an idempotent one: after an error kafkajs takes its sequence numbers back for all partitions of the request, and
 * Kafka would silently drop a later batch that reuses those of one that was written after all. Whoever sends twice here
 * has a consumer that finds duplicates anyway.
 */
export class KafkaSender implements RecordSender {
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

  /** Partition counts of those of the topics that exist. */
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
