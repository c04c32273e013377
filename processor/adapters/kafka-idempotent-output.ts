import { Partitioners, type Admin, type Kafka, type Producer } from "kafkajs";
import { MillraceError } from "../../domain/errors.ts";
import { kafkaFailureOf } from "../engine/failure-classes.ts";
import type { Progress, Standing, TaskOutput } from "../engine/ports.ts";
import type { OutputRecord } from "../runtime/machine.ts";
import { refusal } from "./kafka-output.ts";
import { inBatches } from "./output-sends.ts";
import type { OutputTarget } from "./output-target.ts";
import { decodeProgress, encodeProgress } from "./progress-record.ts";

/** Commits the group's offset, with metadata, as this member in its current generation. */
export type OffsetCommit = (partition: number, offset: number, metadata: string) => Promise<void>;

/** Most bytes of metadata sent. The broker takes 4,096 (`offset.metadata.max.bytes`). */
const MAX_METADATA_BYTES = 4_000;

/**
 * `DELIVERY=idempotent`, for brokers without transactions: an idempotent producer writes the outputs, then the progress
 * is committed as the metadata of the group's offset. There is no fence: after a crash or a takeover, outputs are
 * written again with the same ids (docs/exactly-once.md).
 */
export class IdempotentOutput implements TaskOutput {
  readonly #target: OutputTarget;
  readonly #producer: Producer;
  readonly #admin: Admin;
  readonly #commitOffset: OffsetCommit;
  #discarded = false;

  constructor(kafka: Kafka, target: OutputTarget, commitOffset: OffsetCommit) {
    this.#target = target;
    this.#commitOffset = commitOffset;
    this.#admin = kafka.admin();
    this.#producer = kafka.producer({
      idempotent: true,
      maxInFlightRequests: 1,
      createPartitioner: Partitioners.DefaultPartitioner,
      allowAutoTopicCreation: false,
    });
  }

  /** Nobody can be fenced, so nobody is held either: the group alone decides who owns the partition. */
  standing(): Promise<Standing> {
    return Promise.resolve({ hold: null, owner: null, byCommand: false, uncommitted: null });
  }

  hold(): Promise<void> {
    return Promise.resolve();
  }

  attempt(): Promise<void> {
    return Promise.resolve();
  }

  /** Only connects. */
  async fence(): Promise<void> {
    await this.#producer.connect();
  }

  /** Writes no claim: reads the metadata of the group's offset. */
  async claim(): Promise<Progress | null> {
    const { groupId, sourceTopic, partition } = this.#target;
    await this.#admin.connect();
    const [topic] = await this.#admin.fetchOffsets({ groupId, topics: [sourceTopic] });
    const committed = topic?.partitions.find((each) => each.partition === partition);
    return committed?.metadata ? decodeProgress(committed.metadata) : null;
  }

  async send(outputs: readonly OutputRecord[]): Promise<void> {
    // One request per topic: kafkajs, retrying a request to several leaders, may report records as written that it
    // never sent (see the bridge's KafkaSender).
    await this.#classified(async () => {
      for (const messages of inBatches(outputs, this.#target.partition).flat()) await this.#producer.send(messages);
    });
  }

  async commit(progress: Progress, last: readonly OutputRecord[]): Promise<void> {
    await this.send(last);
    const whole = encodeProgress(progress);
    const metadata =
      Buffer.byteLength(whole) <= MAX_METADATA_BYTES ? whole : encodeProgress({ ...progress, failed: [] });
    await this.#classified(() => this.#commitOffset(this.#target.partition, progress.nextOffset, metadata));
  }

  /** Gives an error of Kafka the name that its class has for the task. Passes on what is uncertain. */
  async #classified(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      const failure = kafkaFailureOf(error);
      const { task } = this.#target;
      if (failure?.class === "fenced")
        throw new MillraceError(
          "fenced",
          `${task}: the group refuses this member's offsets: another member owns the partition`,
          { cause: error },
        );
      if (failure?.class === "partition" && failure.afterMs === undefined)
        throw new MillraceError("output-refused", refusal(task, failure.name, error), { cause: error });
      throw error;
    }
  }

  async discard(): Promise<void> {
    if (this.#discarded) return;
    this.#discarded = true;
    await Promise.allSettled([this.#producer.disconnect(), this.#admin.disconnect()]);
  }
}
