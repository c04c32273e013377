import { createRequire } from "node:module";
import { setTimeout as sleep } from "node:timers/promises";
import type { Broker, Cluster, Kafka } from "kafkajs";
import type { OutputRecord } from "../runtime/machine.ts";
import { encodeRecordBatch } from "./encode-record-batch.ts";
import { openCluster } from "./kafka-cluster.ts";

/** Kafkajs' transaction state of one producer: ids, sequences, and the requests to the coordinators. */
interface EosManager {
  initProducerId(): Promise<void>;
  beginTransaction(): void;
  addPartitionsToTransaction(
    topics: readonly { readonly topic: string; readonly partitions: readonly { readonly partition: number }[] }[],
  ): Promise<void>;
  sendOffsets(offsets: {
    readonly consumerGroupId: string;
    readonly topics: readonly {
      readonly topic: string;
      readonly partitions: readonly { readonly partition: number; readonly offset: string }[];
    }[];
  }): Promise<void>;
  commit(): Promise<void>;
  getProducerId(): string;
  getProducerEpoch(): number;
  getSequence(topic: string, partition: number): number;
  updateSequence(topic: string, partition: number, increment: number): void;
}
interface ProduceExchange {
  readonly request: {
    readonly apiKey: number;
    readonly apiVersion: number;
    readonly apiName: string;
    encode(): Promise<{ readonly buf: Buffer; readonly buffer: Buffer }>;
  };
  readonly response: { decode(payload: Buffer): { readonly clientSideThrottleTime: number }; parse<T>(decoded: T): T };
}
interface BrokerInternals extends Broker {
  readonly connectionPool: { send(exchange: ProduceExchange): Promise<unknown> };
}

const load = createRequire(import.meta.url);
const createEosManager = load("kafkajs/src/producer/eosManager/index.js") as (options: object) => EosManager;
const { createErrorFromCode } = load("kafkajs/src/protocol/error.js") as {
  readonly createErrorFromCode: (code: number) => Error;
};

const PRODUCE = { apiKey: 0, apiVersion: 7, apiName: "Produce" } as const;
const ALL_REPLICAS = -1;
const PRODUCE_TIMEOUT_MS = 30_000;
/** For how long it is known who coordinates a transaction or group. */
const COORDINATOR_MS = 1_000;
/** Right after a commit the coordinator answers CONCURRENT_TRANSACTIONS until its markers are written. */
const CONCURRENT_WAIT_MS = { first: 2, most: 100, limit: 15_000 } as const;

/**
 * A transactional producer for one partition number: kafkajs' transaction state and connections, record batches encoded
 * here. kafkajs' own producer spends more CPU on encoding than the whole path on computing; and it retries, where a
 * task would rather begin anew.
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

  /** Raises the epoch of the transactional id. */
  async init(): Promise<void> {
    await this.#cluster.connect();
    await this.#eos.initProducerId();
  }

  /**
   * Adds topics to the open transaction, opening one if there is none: all at once, since each time the coordinator
   * writes its log.
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

  /** Appends records to topics that the transaction has; each topic's in one record batch. */
  async send(byTopic: ReadonlyMap<string, readonly OutputRecord[]>): Promise<void> {
    const topics = [...byTopic.keys()];
    const byLeader = Map.groupBy(topics, (topic) => this.#leader(topic));
    await Promise.all([...byLeader].map(([leader, led]) => this.#produce(leader, led, byTopic)));
  }

  async sendOffset(consumerGroupId: string, topic: string, offset: number): Promise<void> {
    await this.#eos.sendOffsets({
      consumerGroupId,
      topics: [{ topic, partitions: [{ partition: this.#partition, offset: String(offset) }] }],
    });
  }

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
        `topic ${topic} has no partition ${this.#partition}: outputs go to the partition number of their input, so it needs as many partitions`,
      );
    return leader;
  }

  async #addPartitions(topics: readonly string[]): Promise<void> {
    const partitions = [{ partition: this.#partition }];
    let waited = 0;
    for (let wait: number = CONCURRENT_WAIT_MS.first; ; wait = Math.min(wait * 1.3, CONCURRENT_WAIT_MS.most)) {
      try {
        await this.#eos.addPartitionsToTransaction(topics.map((topic) => ({ topic, partitions })));
        return;
      } catch (error) {
        if ((error as { type?: string }).type !== "CONCURRENT_TRANSACTIONS" || waited > CONCURRENT_WAIT_MS.limit)
          throw error;
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
      const firstSequence = this.#eos.getSequence(topic, this.#partition);
      this.#eos.updateSequence(topic, this.#partition, records.length);
      return { topic, bytes: encodeRecordBatch(records, { ...origin, firstSequence }) };
    });
    const buffer = encodeProduce(this.#transactionalId, this.#partition, batches);
    await (broker as BrokerInternals).connectionPool.send({
      request: { ...PRODUCE, encode: () => Promise.resolve({ buf: buffer, buffer }) },
      response: { decode: decodeProduced, parse: (decoded) => decoded },
    });
  }
}

/**
 * Kafkajs asks who coordinates before each request to a coordinator, and so doubles their number; here the answer holds
 * for a second.
 */
function rememberCoordinators(cluster: Cluster): void {
  const ask = cluster.findGroupCoordinator.bind(cluster);
  const known = new Map<string, { readonly broker: Promise<Broker>; readonly askedAt: number }>();
  cluster.findGroupCoordinator = (whose: { readonly groupId: string; readonly coordinatorType?: number }) => {
    const name = `${whose.coordinatorType}/${whose.groupId}`;
    const before = known.get(name);
    if (before && performance.now() - before.askedAt < COORDINATOR_MS) return before.broker;
    const broker = ask(whose);
    known.set(name, { broker, askedAt: performance.now() });
    broker.catch(() => known.delete(name));
    return broker;
  };
}

/** Produce request, version 7. */
function encodeProduce(
  transactionalId: string,
  partition: number,
  batches: readonly { readonly topic: string; readonly bytes: Buffer }[],
): Buffer {
  const head = Buffer.allocUnsafe(2 + Buffer.byteLength(transactionalId) + 10);
  let at = writeText(head, 0, transactionalId);
  at = head.writeInt16BE(ALL_REPLICAS, at);
  at = head.writeInt32BE(PRODUCE_TIMEOUT_MS, at);
  head.writeInt32BE(batches.length, at);
  const parts: Buffer[] = [head];
  for (const { topic, bytes } of batches) {
    const before = Buffer.allocUnsafe(2 + Buffer.byteLength(topic) + 12);
    at = writeText(before, 0, topic);
    at = before.writeInt32BE(1, at); // one partition
    at = before.writeInt32BE(partition, at);
    before.writeInt32BE(bytes.length, at);
    parts.push(before, bytes);
  }
  return Buffer.concat(parts);
}

function writeText(bytes: Buffer, from: number, text: string): number {
  const length = bytes.write(text, from + 2);
  bytes.writeInt16BE(length, from);
  return from + 2 + length;
}

/** Produce response, version 7. @throws kafkajs' error of the first partition that was refused. */
function decodeProduced(payload: Buffer): { clientSideThrottleTime: number } {
  let at = 4;
  for (let topics = payload.readInt32BE(0); topics > 0; topics--) {
    at += 2 + payload.readInt16BE(at);
    let partitions = payload.readInt32BE(at);
    for (at += 4; partitions > 0; partitions--) {
      const code = payload.readInt16BE(at + 4);
      if (code !== 0) throw createErrorFromCode(code);
      at += 30; // partition, error, base offset, log append time, log start offset
    }
  }
  return { clientSideThrottleTime: payload.readInt32BE(at) };
}
