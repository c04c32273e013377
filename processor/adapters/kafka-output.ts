import type { Cluster, Kafka } from "kafkajs";
import { MillraceError } from "../../domain/errors.ts";
import { topics } from "../../domain/topics.ts";
import type { Progress, TaskOutput } from "../engine/ports.ts";
import type { OutputRecord } from "../runtime/machine.ts";
import { claimRecord, progressBefore, toProgressRecord } from "./kafka-progress.ts";
import { inSends } from "./output-sends.ts";
import type { OutputTarget } from "./output-target.ts";
import { TransactionalProducer } from "./transactional-producer.ts";

/** The coordinator aborts a transaction that is open for longer. A dead owner's holds up readers as long. */
const TRANSACTION_TIMEOUT_MS = 15_000;
/** Errors that only a newer owner can cause, or the coordinator after the transaction timeout. */
const FENCED = new Set(["INVALID_PRODUCER_EPOCH", "PRODUCER_FENCED"]);

/** The transactions of one life of a task. Has one producer, which is thrown away after any error. */
export class TransactionalOutput implements TaskOutput {
  readonly #target: OutputTarget;
  readonly #producer: TransactionalProducer;
  readonly #cluster: Cluster;
  #discarded = false;

  /** @param cluster Reads `millrace-progress`. The tasks of a process share it; `discard` leaves it open. */
  constructor(kafka: Kafka, cluster: Cluster, target: OutputTarget) {
    this.#target = target;
    this.#cluster = cluster;
    this.#producer = new TransactionalProducer(kafka, target.transactionalId, target.partition, TRANSACTION_TIMEOUT_MS);
  }

  async fence(): Promise<void> {
    await this.#orFenced(() => this.#producer.init());
  }

  async claim(token: string): Promise<Progress | null> {
    const { task, partition } = this.#target;
    await this.#orFenced(async () => {
      await this.#send([claimRecord(task, token)]);
      await this.#producer.commit();
    });
    return progressBefore(this.#cluster, task, partition, token);
  }

  async send(outputs: readonly OutputRecord[]): Promise<void> {
    await this.#orFenced(() => this.#send(outputs));
  }

  async commit(progress: Progress, last: readonly OutputRecord[]): Promise<void> {
    const { task, groupId, sourceTopic } = this.#target;
    const outputs = [...last, toProgressRecord(task, progress)];
    await this.#orFenced(async () => {
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

  /** Turns the errors that mean a fence into `fenced`, the one outcome that is certain. Passes all others on. */
  async #orFenced<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (!causes(error).some((cause) => FENCED.has((cause as { type?: string }).type ?? ""))) throw error;
      throw new MillraceError(
        "fenced",
        `${this.#target.task}: Kafka refuses this producer: another owner has taken over, or its transaction timed out`,
        { cause: error },
      );
    }
  }
}

/** Topics of a transaction that begins with these outputs: theirs, and that of the progress record that ends it. */
function topicsOf(outputs: readonly OutputRecord[]): string[] {
  return [...new Set(outputs.map(({ topic }) => topic)).add(topics.progress.name)];
}

/** An error and what caused it, kafkajs' `originalError` included. */
function causes(error: unknown): Error[] {
  const chain: Error[] = [];
  let at: unknown = error;
  while (at instanceof Error && !chain.includes(at)) {
    chain.push(at);
    at = at.cause ?? (at as { originalError?: unknown }).originalError;
  }
  return chain;
}
