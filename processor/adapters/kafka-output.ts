import { Partitioners, type Cluster, type Kafka, type Message, type Producer, type TopicMessages, type Transaction } from "kafkajs";
import { MillraceError } from "../../domain/errors.ts";
import { topics } from "../../domain/topics.ts";
import type { Progress, TaskOutput } from "../engine/ports.ts";
import type { OutputRecord } from "../path/machine.ts";
import { claimKey, encodeProgress, progressBefore } from "./kafka-progress.ts";

export interface OutputTarget {
  /** Key in `millrace-progress` and name in logs. */
  readonly task: string;
  readonly transactionalId: string;
  readonly groupId: string;
  readonly sourceTopic: string;
  /** Input partition; outputs and progress go to the same number. */
  readonly partition: number;
}

/** kafkajs puts all messages of one send to a partition into one record batch, and the broker takes 1 MB. */
const MAX_BATCH_BYTES = 900_000;
const RECORD_OVERHEAD = 64;
/** A transaction that is open for longer is ended by the coordinator; the dead hold up readers for as long. */
const TRANSACTION_TIMEOUT_MS = 15_000;
/** Right after a commit the coordinator answers CONCURRENT_TRANSACTIONS until its markers are written. */
const RETRY = { initialRetryTime: 2, multiplier: 1.3, factor: 0, maxRetryTime: 200, retries: 50 } as const;
/** What only another, newer owner (or the coordinator, after the transaction timeout) can cause. */
const FENCED = new Set(["INVALID_PRODUCER_EPOCH", "PRODUCER_FENCED"]);

/** Transactions of one task's life: one kafkajs producer, thrown away after any error. */
export class TransactionalOutput implements TaskOutput {
  readonly #target: OutputTarget;
  readonly #producer: Producer;
  readonly #cluster: Cluster;
  #transaction: Transaction | null = null;
  #discarded = false;

  /** `cluster` is shared by the tasks of a process; it reads `millrace-progress`. */
  constructor(kafka: Kafka, cluster: Cluster, target: OutputTarget) {
    this.#target = target;
    this.#cluster = cluster;
    this.#producer = kafka.producer({ transactionalId: target.transactionalId, transactionTimeout: TRANSACTION_TIMEOUT_MS, createPartitioner: Partitioners.DefaultPartitioner, retry: RETRY, allowAutoTopicCreation: false });
  }

  async fence(): Promise<void> {
    await this.#certain(async () => {
      await this.#producer.connect();
      this.#transaction = await this.#producer.transaction();
    });
  }

  async claim(token: string): Promise<Progress | null> {
    const { task, partition } = this.#target;
    await this.#certain(async () => {
      const transaction = await this.#begun();
      await transaction.send({ topic: topics.progress.name, messages: [{ key: claimKey(task), value: token, partition }] });
      await transaction.commit();
      this.#transaction = null;
    });
    return progressBefore(this.#cluster, task, partition, token);
  }

  async send(outputs: readonly OutputRecord[]): Promise<void> {
    await this.#certain(async () => {
      const transaction = await this.#begun();
      for (const topicMessages of inBatches(outputs, this.#target.partition)) await transaction.sendBatch({ topicMessages });
    });
  }

  async commit(progress: Progress, last: readonly OutputRecord[]): Promise<void> {
    const { task, partition, groupId, sourceTopic } = this.#target;
    const record: OutputRecord = { topic: topics.progress.name, key: task, value: Buffer.from(encodeProgress(progress)), headers: {}, scored: false };
    await this.#certain(async () => {
      const transaction = await this.#begun();
      for (const topicMessages of inBatches([...last, record], partition)) await transaction.sendBatch({ topicMessages });
      await transaction.sendOffsets({ consumerGroupId: groupId, topics: [{ topic: sourceTopic, partitions: [{ partition, offset: String(progress.nextOffset) }] }] });
      await transaction.commit();
      this.#transaction = null;
    });
  }

  async discard(): Promise<void> {
    if (this.#discarded) return;
    this.#discarded = true;
    await this.#producer.disconnect().catch(() => undefined);
  }

  async #begun(): Promise<Transaction> {
    return (this.#transaction ??= await this.#producer.transaction());
  }

  /** Gives the one certain outcome its name; everything else stays what it is: uncertain. */
  async #certain<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (causes(error).some((cause) => FENCED.has((cause as { type?: string }).type ?? ""))) throw new MillraceError("fenced", `${this.#target.task}: Kafka refuses this producer: another owner has taken over, or its transaction ran out of time`, { cause: error });
      throw error;
    }
  }
}

function causes(error: unknown): unknown[] {
  const chain: unknown[] = [];
  for (let at: unknown = error; at instanceof Error && !chain.includes(at); at = (at as { cause?: unknown }).cause ?? (at as { originalError?: unknown }).originalError) chain.push(at);
  return chain;
}

/** Groups outputs by topic, keeping their order, in sends whose record batches stay below the broker's limit. */
export function inBatches(outputs: readonly OutputRecord[], partition: number): TopicMessages[][] {
  const sends: TopicMessages[][] = [];
  let byTopic = new Map<string, { messages: Message[]; bytes: number }>();
  for (const output of outputs) {
    const bytes = RECORD_OVERHEAD + (output.key?.length ?? 0) + (output.value?.length ?? 0) + headerBytes(output.headers);
    let group = byTopic.get(output.topic);
    if (group && group.bytes + bytes > MAX_BATCH_BYTES) {
      sends.push(messagesOf(byTopic));
      byTopic = new Map();
      group = undefined;
    }
    if (!group) byTopic.set(output.topic, (group = { messages: [], bytes: 0 }));
    group.messages.push({ key: buffer(output.key), value: buffer(output.value), partition, headers: output.headers });
    group.bytes += bytes;
  }
  if (byTopic.size > 0) sends.push(messagesOf(byTopic));
  return sends;
}

function messagesOf(byTopic: ReadonlyMap<string, { messages: Message[] }>): TopicMessages[] {
  return Array.from(byTopic, ([topic, { messages }]) => ({ topic, messages }));
}

function buffer(bytes: Uint8Array | string | null): Buffer | string | null {
  return bytes instanceof Uint8Array && !Buffer.isBuffer(bytes) ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength) : (bytes as Buffer | string | null);
}

function headerBytes(headers: Readonly<Record<string, string>>): number {
  let bytes = 0;
  for (const name in headers) bytes += name.length + headers[name]!.length * 3 + 4;
  return bytes;
}
