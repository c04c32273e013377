import { type Cluster, type Kafka, Partitioners } from "kafkajs";
import { MillraceError } from "../../domain/errors.ts";
import { topics } from "../../domain/topics.ts";
import { kafkaFailureOf } from "../engine/failure-classes.ts";
import {
  type Attempt,
  commandToken,
  type Hold,
  type Progress,
  type Standing,
  type TaskOutput,
} from "../engine/ports.ts";
import type { OutputRecord } from "../runtime/machine.ts";
import { claimRecord } from "./kafka-claim.ts";
import { progressBefore, toProgressRecord } from "./kafka-progress.ts";
import { holdRecord, readStanding } from "./kafka-standing.ts";
import { inSends, messagesOf } from "./output-sends.ts";
import type { OutputTarget } from "./output-target.ts";
import { TransactionalProducer } from "./transactional-producer.ts";

/** The transactions of one life of a task. Has one producer, which is thrown away after any error. */
export class TransactionalOutput implements TaskOutput {
  readonly #target: OutputTarget;
  readonly #kafka: Kafka;
  readonly #producer: TransactionalProducer;
  readonly #cluster: Cluster;
  readonly #timeoutMs: number;
  /** Token of the claim. */
  #token = commandToken("unclaimed");
  #discarded = false;

  /**
   * @param cluster Reads `millrace-progress`. The tasks of a process share it; `discard` leaves it open.
   * @param transactionTimeoutMs The coordinator aborts a transaction that is open for longer.
   */
  constructor(kafka: Kafka, cluster: Cluster, target: OutputTarget, transactionTimeoutMs: number) {
    this.#target = target;
    this.#kafka = kafka;
    this.#cluster = cluster;
    this.#timeoutMs = transactionTimeoutMs;
    this.#producer = new TransactionalProducer(kafka, target.transactionalId, target.partition, transactionTimeoutMs);
  }

  async standing(): Promise<Standing> {
    const { task, partition } = this.#target;
    return readStanding(this.#cluster, task, partition);
  }

  async hold(hold: Hold | null): Promise<void> {
    const { task, partition } = this.#target;
    const producer = this.#kafka.producer({
      idempotent: true,
      createPartitioner: Partitioners.DefaultPartitioner,
      allowAutoTopicCreation: false,
    });
    try {
      await producer.connect();
      await producer.send({ topic: topics.progress.name, messages: messagesOf([holdRecord(task, hold)], partition) });
    } finally {
      await producer.disconnect();
    }
  }

  async fence(): Promise<void> {
    await this.#classified(() => this.#producer.init());
  }

  async claim(token: string, attempt: Attempt | null = null): Promise<Progress | null> {
    const { task, partition } = this.#target;
    this.#token = token;
    await this.#commitClaim(attempt);
    return progressBefore(this.#cluster, task, partition, token);
  }

  async attempt(attempt: Attempt): Promise<void> {
    await this.#commitClaim(attempt);
  }

  async #commitClaim(attempt: Attempt | null): Promise<void> {
    await this.#classified(async () => {
      await this.#send([claimRecord(this.#target.task, this.#token, attempt)]);
      await this.#producer.commit();
    });
  }

  async send(outputs: readonly OutputRecord[]): Promise<void> {
    await this.#classified(() => this.#send(outputs));
  }

  async commit(progress: Progress, last: readonly OutputRecord[], withGroupOffset = true): Promise<void> {
    const { task, groupId, sourceTopic } = this.#target;
    const outputs = [...last, toProgressRecord(task, progress, this.#token)];
    await this.#classified(async () => {
      await this.#producer.add(topicsOf(outputs));
      const groupOffset = withGroupOffset && this.#producer.sendOffset(groupId, sourceTopic, progress.nextOffset);
      await Promise.all([this.#append(outputs), groupOffset]);
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

  /** Gives an error of Kafka the name that its class has for the task. Passes on what is uncertain. */
  async #classified<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      const failure = kafkaFailureOf(error);
      const { task } = this.#target;
      if (failure?.class === "fenced") {
        const openMs = Math.round(this.#producer.openMs);
        if (openMs > this.#timeoutMs)
          throw new MillraceError(
            "outcome-unknown",
            `${task}: ${failure.name}, and the transaction was open for ${openMs} ms: at more than ` +
              `${this.#timeoutMs} ms the coordinator ends it`,
            { cause: error },
          );
        throw new MillraceError("fenced", `${task}: Kafka refuses this producer: another owner has taken over`, {
          cause: error,
        });
      }
      if (failure?.class !== "partition") throw error;
      throw new MillraceError("output-refused", refusal(task, failure.name, error), { cause: error });
    }
  }
}

/** The message of `output-refused`. */
export function refusal(task: string, name: string, error: unknown): string {
  const reason = error instanceof Error ? error.message : String(error);
  return (
    `${task}: Kafka answers ${name} to what the task writes (${reason}), and would again. ` +
    `Repair the topic, its bounds or the permission, then \`npm run recover -- --task ${task} --choice try-again\``
  );
}

/** Topics of a transaction that begins with these outputs: theirs, and that of the progress record that ends it. */
function topicsOf(outputs: readonly OutputRecord[]): string[] {
  return [...new Set(outputs.map(({ topic }) => topic)).add(topics.progress.name)];
}
