import { setTimeout as sleep } from "node:timers/promises";
import { type Admin, type Kafka, Partitioners, type PartitionMetadata, type Producer } from "kafkajs";
import { SECOND, type Milliseconds } from "../../domain/time.ts";
import { topics } from "../../domain/topics.ts";
import { appendRequests, type AppendRequest } from "./requests.ts";
import type { TradeRecord } from "./trade-record.ts";

const TOPIC = topics.trades.name;
/** How long a broker may wait for its replicas. */
const ACKNOWLEDGE_LIMIT_MS = 5 * SECOND;
/** From the first request to the last answer. Below the function's timeout, so that it says itself what failed. */
const APPEND_LIMIT_MS = 20 * SECOND;
/** Age at which partitions are read again: a topic may be widened. */
const PARTITIONS_AGE_MS = 15 * SECOND;
/** Closing a connection to a broker that is gone may take for ever. */
const DISCONNECT_LIMIT_MS = 2 * SECOND;

/**
 * Appends trades to `market-trades`, acknowledged by all in-sync replicas, with an idempotent producer. Keys choose
 * partitions as in Java (murmur2).
 *
 * - A request has records of one partition: when kafkajs retries one to several leaders, records may be reported as
 *   written that were never sent (see the bridge's `KafkaSender`).
 * - A producer that had an error is thrown away. kafkajs takes back the sequence numbers of a request that failed,
 *   although Kafka may have written it; Kafka would then drop a later one that has the same numbers.
 */
export class TradeAppender {
  readonly #kafka: Kafka;
  readonly #partitioner = Partitioners.DefaultPartitioner();
  #producer: Producer | null = null;
  #admin: Admin | null = null;
  #partitions: { readonly metadata: PartitionMetadata[]; readonly readAt: Milliseconds } | null = null;

  constructor(kafka: Kafka) {
    this.#kafka = kafka;
  }

  /**
   * Appends records. Resolves with an error for each place of the list that is not known to be written; it may be, so
   * sending it again may write it twice. Never rejects.
   */
  async append(records: readonly TradeRecord[]): Promise<ReadonlyMap<number, Error>> {
    const failed = new Map<number, Error>();
    if (records.length === 0) return failed;
    const deadline = performance.now() + APPEND_LIMIT_MS;
    try {
      const metadata = await within(deadline, this.#readPartitions());
      const producer = await within(deadline, this.#connectedProducer());
      const requests = appendRequests(records, ({ key, value }) =>
        this.#partitioner({ topic: TOPIC, partitionMetadata: metadata, message: { key, value } }),
      );
      const byPartition = Map.groupBy(requests, ({ partition }) => partition);
      await Promise.all(
        [...byPartition.values()].map((own) => this.#appendToPartition(producer, records, own, deadline, failed)),
      );
    } catch (error) {
      for (const index of records.keys()) failed.set(index, error as Error);
    }
    if (failed.size > 0) await this.#reset();
    return failed;
  }

  async close(): Promise<void> {
    await this.#reset();
  }

  /** Sends a partition's requests one after the other, and none behind one that failed, but for one too large. */
  async #appendToPartition(
    producer: Producer,
    records: readonly TradeRecord[],
    requests: readonly AppendRequest[],
    deadline: Milliseconds,
    failed: Map<number, Error>,
  ): Promise<void> {
    let broken: Error | null = null;
    for (const { partition, indexes } of requests) {
      try {
        if (broken) throw broken;
        const messages = indexes.map((index) => ({ ...records[index]!, partition }));
        await within(deadline, producer.send({ topic: TOPIC, acks: -1, timeout: ACKNOWLEDGE_LIMIT_MS, messages }));
      } catch (error) {
        if ((error as { type?: string }).type !== "MESSAGE_TOO_LARGE") broken = error as Error;
        for (const index of indexes) failed.set(index, error as Error);
      }
    }
  }

  async #readPartitions(): Promise<PartitionMetadata[]> {
    const nowMs = performance.now();
    if (this.#partitions && nowMs - this.#partitions.readAt < PARTITIONS_AGE_MS) return this.#partitions.metadata;
    if (!this.#admin) {
      const admin = this.#kafka.admin();
      await admin.connect();
      this.#admin = admin;
    }
    const found = await this.#admin.fetchTopicMetadata({ topics: [TOPIC] });
    const metadata = found.topics[0]!.partitions;
    this.#partitions = { metadata, readAt: nowMs };
    return metadata;
  }

  async #connectedProducer(): Promise<Producer> {
    if (this.#producer) return this.#producer;
    const producer = this.#kafka.producer({
      idempotent: true,
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
      createPartitioner: Partitioners.DefaultPartitioner,
      retry: { retries: 3, initialRetryTime: 100, maxRetryTime: SECOND },
    });
    try {
      await producer.connect();
    } catch (error) {
      await quietly(producer.disconnect());
      throw error;
    }
    return (this.#producer = producer);
  }

  async #reset(): Promise<void> {
    const closing = [this.#producer?.disconnect(), this.#admin?.disconnect()];
    this.#producer = null;
    this.#admin = null;
    this.#partitions = null;
    await Promise.all(closing.map((each) => quietly(each ?? Promise.resolve())));
  }
}

/** Rejects when the deadline passes before. What was asked for may still happen. */
async function within<T>(deadline: Milliseconds, work: Promise<T>): Promise<T> {
  const late = new AbortController();
  const limit = sleep(Math.max(0, deadline - performance.now()), undefined, { signal: late.signal }).then(
    () => Promise.reject(new Error(`Kafka did not answer within ${APPEND_LIMIT_MS / SECOND} s`)),
    () => new Promise<never>(() => undefined),
  );
  try {
    return await Promise.race([work, limit]);
  } finally {
    late.abort();
  }
}

async function quietly(closing: Promise<void>): Promise<void> {
  await Promise.race([closing.catch(() => undefined), sleep(DISCONNECT_LIMIT_MS, undefined, { ref: false })]);
}
