import type { Cluster, Kafka, Message, TopicMessages } from "kafkajs";
import { MillraceError } from "../../domain/errors.ts";
import { topics } from "../../domain/topics.ts";
import type { Progress, TaskOutput } from "../engine/ports.ts";
import type { OutputRecord } from "../runtime/machine.ts";
import { claimKey, encodeProgress, progressBefore } from "./kafka-progress.ts";
import { TransactionalProducer } from "./transactional-producer.ts";

export interface OutputTarget {
  /** Key in `millrace-progress` and name in logs. */
  readonly task: string;
  readonly transactionalId: string;
  readonly groupId: string;
  readonly sourceTopic: string;
  /** Input partition; outputs and progress go to the same number. */
  readonly partition: number;
}

/** Kafkajs puts all messages of one send to a partition into one record batch, and the broker takes 1 MB. */
const MAX_BATCH_BYTES = 900_000;
const RECORD_OVERHEAD = 64;
/** A transaction that is open for longer is ended by the coordinator; the dead hold up readers for as long. */
const TRANSACTION_TIMEOUT_MS = 15_000;
/** What only another, newer owner (or the coordinator, after the transaction timeout) can cause. */
const FENCED = new Set(["INVALID_PRODUCER_EPOCH", "PRODUCER_FENCED"]);

/** Transactions of one task's life: one producer, thrown away after any error. */
export class TransactionalOutput implements TaskOutput {
  readonly #target: OutputTarget;
  readonly #producer: TransactionalProducer;
  readonly #cluster: Cluster;
  #discarded = false;

  /** `cluster` is shared by the tasks of a process; it reads `millrace-progress`. */
  constructor(kafka: Kafka, cluster: Cluster, target: OutputTarget) {
    this.#target = target;
    this.#cluster = cluster;
    this.#producer = new TransactionalProducer(kafka, target.transactionalId, target.partition, TRANSACTION_TIMEOUT_MS);
  }

  async fence(): Promise<void> {
    await this.#certain(() => this.#producer.init());
  }

  async claim(token: string): Promise<Progress | null> {
    const { task, partition } = this.#target;
    const record: OutputRecord = {
      topic: topics.progress.name,
      key: claimKey(task),
      value: Buffer.from(token),
      headers: {},
      scored: false,
    };
    await this.#certain(async () => {
      await this.#send([record]);
      await this.#producer.commit();
    });
    return progressBefore(this.#cluster, task, partition, token);
  }

  async send(outputs: readonly OutputRecord[]): Promise<void> {
    await this.#certain(() => this.#send(outputs));
  }

  async commit(progress: Progress, last: readonly OutputRecord[]): Promise<void> {
    const { task, groupId, sourceTopic } = this.#target;
    const record: OutputRecord = {
      topic: topics.progress.name,
      key: task,
      value: Buffer.from(encodeProgress(progress)),
      headers: {},
      scored: false,
    };
    await this.#certain(async () => {
      const outputs = [...last, record];
      await this.#producer.add(topicsOf(outputs));
      await Promise.all([this.#append(outputs), this.#producer.sendOffset(groupId, sourceTopic, progress.nextOffset)]);
      await this.#producer.commit();
    });
  }

  async #send(outputs: readonly OutputRecord[]): Promise<void> {
    await this.#producer.add(topicsOf(outputs));
    await this.#append(outputs);
  }

  async #append(outputs: readonly OutputRecord[]): Promise<void> {
    for (const byTopic of inSends(outputs)) await this.#producer.send(byTopic);
  }

  async discard(): Promise<void> {
    if (this.#discarded) return;
    this.#discarded = true;
    await this.#producer.disconnect().catch(() => undefined);
  }

  /** Gives the one certain outcome its name; everything else stays what it is: uncertain. */
  async #certain<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (causes(error).some((cause) => FENCED.has((cause as { type?: string }).type ?? "")))
        throw new MillraceError(
          "fenced",
          `${this.#target.task}: Kafka refuses this producer: another owner has taken over, or its transaction ran out of time`,
          { cause: error },
        );
      throw error;
    }
  }
}

/** Topics of a transaction with these outputs; its progress record comes for certain. */
function topicsOf(outputs: readonly OutputRecord[]): string[] {
  return [...new Set(outputs.map(({ topic }) => topic)).add(topics.progress.name)];
}

function causes(error: unknown): unknown[] {
  const chain: unknown[] = [];
  for (
    let at: unknown = error;
    at instanceof Error && !chain.includes(at);
    at = (at as { cause?: unknown }).cause ?? (at as { originalError?: unknown }).originalError
  )
    chain.push(at);
  return chain;
}

/** Groups outputs by topic, keeping their order, in sends whose record batches stay below the broker's limit. */
export function inSends(outputs: readonly OutputRecord[]): Map<string, OutputRecord[]>[] {
  const sends: Map<string, OutputRecord[]>[] = [];
  let byTopic = new Map<string, OutputRecord[]>();
  let bytesByTopic = new Map<string, number>();
  for (const output of outputs) {
    const bytes =
      RECORD_OVERHEAD + (output.key?.length ?? 0) * 3 + (output.value?.length ?? 0) + headerBytes(output.headers);
    if ((bytesByTopic.get(output.topic) ?? 0) + bytes > MAX_BATCH_BYTES && byTopic.has(output.topic)) {
      sends.push(byTopic);
      byTopic = new Map();
      bytesByTopic = new Map();
    }
    const records = byTopic.get(output.topic);
    if (records) records.push(output);
    else byTopic.set(output.topic, [output]);
    bytesByTopic.set(output.topic, (bytesByTopic.get(output.topic) ?? 0) + bytes);
  }
  if (byTopic.size > 0) sends.push(byTopic);
  return sends;
}

/** The same as kafkajs' producer takes it. */
export function inBatches(outputs: readonly OutputRecord[], partition: number): TopicMessages[][] {
  return inSends(outputs).map((byTopic) =>
    Array.from(byTopic, ([topic, records]) => ({
      topic,
      messages: records.map(({ key, value, headers }): Message => ({
        key: buffer(key),
        value: buffer(value),
        partition,
        headers,
      })),
    })),
  );
}

function buffer(bytes: Uint8Array | string | null): Buffer | string | null {
  return bytes instanceof Uint8Array && !Buffer.isBuffer(bytes)
    ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    : (bytes as Buffer | string | null);
}

function headerBytes(headers: Readonly<Record<string, string>>): number {
  let bytes = 0;
  for (const name in headers) bytes += name.length + headers[name]!.length * 3 + 4;
  return bytes;
}
