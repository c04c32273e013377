import { setTimeout as sleep } from "node:timers/promises";
import type { Cluster, Kafka } from "kafkajs";
import { openCluster } from "../../adapters/kafka-cluster.ts";
import { createEosManager, sendTo, type EosManager } from "../../adapters/kafkajs-internals.ts";
import { kafkaFailureOf, SAME_ANSWER_MS } from "../engine/failure-classes.ts";
import type { OutputRecord } from "../runtime/machine.ts";
import { encodeRecordBatch } from "./encode-record-batch.ts";
import { produceExchange, type TopicBatch } from "./produce-request.ts";
import { rememberCoordinators } from "./remember-coordinators.ts";

/** Waits before retries: the coordinator answers CONCURRENT_TRANSACTIONS until a commit's markers are written. */
const RETRY_MS = { first: 2, factor: 1.3, most: 500 } as const;
/** How long a transient answer is retried inside a life. Afterwards a new life asks the brokers who leads what. */
const TRANSIENT_MS = 15_000;

/**
 * A transactional producer for one partition number. Uses transaction state and connections of kafkajs, but encodes the
 * record batches itself: the producer of kafkajs spends more CPU time on encoding than the pipeline on everything else.
 * It repeats a request where the table of failures calls the answer transient, and a record batch byte for byte, with
 * the same sequence numbers, so that a broker that has it already does not append it again.
 */
export class TransactionalProducer {
  readonly #cluster: Cluster;
  readonly #eos: EosManager;
  readonly #transactionalId: string;
  readonly #partition: number;
  readonly #forgetCoordinators: () => void;
  /** Topics that the open transaction writes to, and those that the one before wrote to. */
  #topics = new Set<string>();
  #topicsBefore: ReadonlySet<string> = new Set();
  #openedAt: number | null = null;
  #closed = false;

  constructor(kafka: Kafka, transactionalId: string, partition: number, transactionTimeout: number) {
    this.#cluster = openCluster(kafka);
    this.#forgetCoordinators = rememberCoordinators(this.#cluster);
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

  /** For how long the transaction has been open, by this machine's clock; 0 when none is. */
  get openMs(): number {
    return this.#openedAt === null ? 0 : performance.now() - this.#openedAt;
  }

  /** Raises the epoch of the transactional id, which ends an open transaction of an older producer. */
  async init(): Promise<void> {
    await this.#repeat(async () => {
      await this.#cluster.connect();
      await this.#eos.initProducerId();
    });
  }

  /**
   * Adds topics to the open transaction, or opens one. The coordinator writes its log for each request, so a
   * transaction begins with the topics that the one before wrote to: most come again.
   */
  async add(given: readonly string[]): Promise<void> {
    let topics = given;
    for (const topic of given) this.#topics.add(topic);
    if (this.#openedAt === null) {
      topics = [...new Set([...this.#topicsBefore, ...given])];
      this.#eos.beginTransaction();
      this.#openedAt = performance.now();
    }
    await this.#repeat(async () => {
      await this.#cluster.addMultipleTargetTopics([...topics]);
      await this.#cluster.refreshMetadataIfNecessary();
      for (const topic of topics) this.#leader(topic);
      const partitions = [{ partition: this.#partition }];
      await this.#eos.addPartitionsToTransaction(topics.map((topic) => ({ topic, partitions })));
    });
  }

  /** Appends records to topics that were added, one record batch per topic. */
  async send(byTopic: ReadonlyMap<string, readonly OutputRecord[]>): Promise<void> {
    const origin = {
      producerId: BigInt(this.#eos.getProducerId()),
      producerEpoch: this.#eos.getProducerEpoch(),
      timestamp: Date.now(),
    };
    let batches: readonly TopicBatch[] = Array.from(byTopic, ([topic, records]) => ({
      topic,
      bytes: encodeRecordBatch(records, { ...origin, firstSequence: this.#takeSequences(topic, records.length) }),
    }));
    const send = async (): Promise<void> => {
      const sent = await Promise.all(
        [...Map.groupBy(batches, ({ topic }) => this.#leader(topic))].map(([leader, led]) =>
          this.#produce(leader, led),
        ),
      );
      const failed = sent.flat();
      batches = failed.map(({ batch }) => batch);
      // What would fail again decides before what may pass.
      const errors = failed.map(({ error }) => error);
      const last = errors.find((error) => kafkaFailureOf(error)?.class !== "transient") ?? errors[0];
      if (last) throw last;
    };
    await this.#repeat(send, "also without an answer");
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
    this.#openedAt = null;
    this.#topicsBefore = this.#topics;
    this.#topics = new Set();
  }

  async disconnect(): Promise<void> {
    this.#closed = true;
    await this.#cluster.disconnect();
  }

  #leader(topic: string): string {
    const leader = Object.keys(this.#cluster.findLeaderForPartitions(topic, [this.#partition]))[0];
    if (leader === undefined)
      throw missingPartition(
        `topic ${topic} has no partition ${this.#partition}. Outputs go to the partition number of their input, ` +
          "so the topic needs as many partitions as the input",
      );
    return leader;
  }

  /** Sends one request. @returns The batches that were not appended, or of which that is not known, with the reason. */
  async #produce(
    leader: string,
    batches: readonly TopicBatch[],
  ): Promise<{ readonly batch: TopicBatch; readonly error: Error }[]> {
    try {
      const broker = await this.#cluster.findBroker({ nodeId: leader });
      const { refused } = await sendTo(broker, produceExchange(this.#transactionalId, this.#partition, batches));
      return batches.flatMap((batch) => {
        const error = refused.get(batch.topic);
        return error ? [{ batch, error }] : [];
      });
    } catch (error) {
      return batches.map((batch) => ({ batch, error: error as Error }));
    }
  }

  /**
   * Repeats work that a broker answers transiently, with fresh metadata.
   *
   * @param when Whether work without an answer is repeated, too: it may have taken effect.
   * @throws The last error: without an answer, of an answer that would be the same again, or that was for too long
   */
  async #repeat(work: () => Promise<void>, when: "answered" | "also without an answer" = "answered"): Promise<void> {
    const began = performance.now();
    for (let wait: number = RETRY_MS.first; ; wait = Math.min(wait * RETRY_MS.factor, RETRY_MS.most)) {
      try {
        return await work();
      } catch (error) {
        const failure = kafkaFailureOf(error);
        const isLasting = failure?.afterMs !== undefined;
        const isCertain = failure ? failure.class !== "transient" && !isLasting : when === "answered";
        if (this.#closed || isCertain) throw error;
        if (performance.now() - began > (isLasting ? SAME_ANSWER_MS : TRANSIENT_MS)) throw error;
        await sleep(wait);
        if (failure?.name !== "CONCURRENT_TRANSACTIONS") await this.#freshMetadata();
      }
    }
  }

  async #freshMetadata(): Promise<void> {
    if (this.#closed) return;
    this.#forgetCoordinators();
    await this.#cluster
      .connect()
      .then(() => this.#cluster.refreshMetadata())
      .catch(() => undefined);
  }

  /** Takes the next sequence numbers of a topic's partition. @returns The first of them. */
  #takeSequences(topic: string, count: number): number {
    const first = this.#eos.getSequence(topic, this.#partition);
    this.#eos.updateSequence(topic, this.#partition, count);
    return first;
  }
}

/** Metadata that has no such partition: the same as the answer of a broker that has none. */
function missingPartition(message: string): Error {
  return Object.assign(new Error(message), { type: "UNKNOWN_TOPIC_OR_PARTITION", code: 3 });
}
