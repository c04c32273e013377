import { setTimeout as sleep } from "node:timers/promises";
import type { Cluster, Kafka } from "kafkajs";
import type { OutputRecord } from "../runtime/machine.ts";
import { encodeRecordBatch } from "./encode-record-batch.ts";
import { openCluster } from "./kafka-cluster.ts";
import { createEosManager, sendTo, type EosManager } from "./kafkajs-internals.ts";
import { produceExchange } from "./produce-request.ts";
import { rememberCoordinators } from "./remember-coordinators.ts";

/** Waits before retries: the coordinator answers CONCURRENT_TRANSACTIONS until a commit's markers are written. */
const CONCURRENT_WAIT_MS = { first: 2, factor: 1.3, most: 100, limit: 15_000 } as const;

/**
 * A transactional producer for one partition number. Uses transaction state and connections of kafkajs, but encodes the
 * record batches itself: the producer of kafkajs spends more CPU time on encoding than the pipeline on everything else.
 * It also retries, where a task has to begin a new life.
 */
export class TransactionalProducer {
  readonly #cluster: Cluster;
  readonly #eos: EosManager;
  readonly #transactionalId: string;
  readonly #partition: number;
  #open = false;

  constructor(kafka: Kafka, transactionalId: string, partition: number, transactionTimeout: number) {
    this.#cluster = openCluster(kafka);
    rememberCoordinators(this.#cluster);
    this.#transactionalId = transactionalId;
    this.#partition = partition;
    this.#eos = createEosManager({
      logger: kafka.logger().namespace("Transactions"),
      cluster: this.#cluster,
      transactional: true,
      transactionalId,
      transactionTimeout,
    });
  }

  /** Raises the epoch of the transactional id, which ends an open transaction of an older producer. */
  async init(): Promise<void> {
    await this.#cluster.connect();
    await this.#eos.initProducerId();
  }

  /**
   * Adds topics to the open transaction, or opens one. Takes all of them at once, because the coordinator writes its
   * log for each request.
   */
  async add(topics: readonly string[]): Promise<void> {
    if (!this.#open) {
      this.#eos.beginTransaction();
      this.#open = true;
    }
    await this.#cluster.addMultipleTargetTopics([...topics]);
    await this.#cluster.refreshMetadataIfNecessary();
    await this.#addPartitions(topics);
  }

  /** Appends records to topics that were added, one record batch per topic. */
  async send(byTopic: ReadonlyMap<string, readonly OutputRecord[]>): Promise<void> {
    const topics = [...byTopic.keys()];
    const byLeader = Map.groupBy(topics, (topic) => this.#leader(topic));
    await Promise.all([...byLeader].map(([leader, led]) => this.#produce(leader, led, byTopic)));
  }

  /** Adds the group's offset to the open transaction. */
  async sendOffset(consumerGroupId: string, topic: string, offset: number): Promise<void> {
    await this.#eos.sendOffsets({
      consumerGroupId,
      topics: [{ topic, partitions: [{ partition: this.#partition, offset: String(offset) }] }],
    });
  }

  /** Commits the open transaction. */
  async commit(): Promise<void> {
    await this.#eos.commit();
    this.#open = false;
  }

  async disconnect(): Promise<void> {
    await this.#cluster.disconnect();
  }

  #leader(topic: string): string {
    const leader = Object.keys(this.#cluster.findLeaderForPartitions(topic, [this.#partition]))[0];
    if (leader === undefined)
      throw new Error(
        `topic ${topic} has no partition ${this.#partition}. Outputs go to the partition number of their input, ` +
          "so the topic needs as many partitions as the input",
      );
    return leader;
  }

  async #addPartitions(topics: readonly string[]): Promise<void> {
    const { first, factor, most, limit } = CONCURRENT_WAIT_MS;
    const partitions = [{ partition: this.#partition }];
    let waited = 0;
    for (let wait: number = first; ; wait = Math.min(wait * factor, most)) {
      try {
        await this.#eos.addPartitionsToTransaction(topics.map((topic) => ({ topic, partitions })));
        return;
      } catch (error) {
        const isConcurrent = (error as { type?: string }).type === "CONCURRENT_TRANSACTIONS";
        if (!isConcurrent || waited > limit) throw error;
        await sleep(wait);
        waited += wait;
      }
    }
  }

  async #produce(
    leader: string,
    topics: readonly string[],
    byTopic: ReadonlyMap<string, readonly OutputRecord[]>,
  ): Promise<void> {
    const broker = await this.#cluster.findBroker({ nodeId: leader });
    const origin = {
      producerId: BigInt(this.#eos.getProducerId()),
      producerEpoch: this.#eos.getProducerEpoch(),
      timestamp: Date.now(),
    };
    const batches = topics.map((topic) => {
      const records = byTopic.get(topic)!;
      const firstSequence = this.#takeSequences(topic, records.length);
      return { topic, bytes: encodeRecordBatch(records, { ...origin, firstSequence }) };
    });
    const exchange = produceExchange(this.#transactionalId, this.#partition, batches);
    await sendTo(broker, exchange);
  }

  /** Takes the next sequence numbers of a topic's partition. @returns The first of them. */
  #takeSequences(topic: string, count: number): number {
    const first = this.#eos.getSequence(topic, this.#partition);
    this.#eos.updateSequence(topic, this.#partition, count);
    return first;
  }
}
