import { setTimeout as sleep } from "node:timers/promises";
import type { Consumer, EachBatchPayload, Kafka } from "kafkajs";
import { undecodableIn } from "../../adapters/kafkajs-fetch.ts";
import { headersInOrder } from "../../adapters/kafkajs-headers.ts";
import type { Logger } from "../../adapters/log.ts";
import type { Metrics } from "../../adapters/metrics.ts";
import type { EventSourceMapping } from "../../domain/event-source-mappings.ts";
import type { Milliseconds } from "../../domain/time.ts";
import { topics, type TopicSpec } from "../../domain/topics.ts";
import type { Invoke } from "../lambda/invoke.ts";
import { Batcher, fittingPrefix } from "./batcher.ts";
import { writeDiscarded, type Discarded } from "./destination.ts";
import { mskEvent, type KafkaRecord } from "./event.ts";
import { backOff, decide, type Slice } from "./retry.ts";

export interface PollerOptions {
  readonly mapping: EventSourceMapping;
  readonly invoke: Invoke;
  readonly kafka: Kafka;
  readonly brokers: string;
  readonly onFailureDir: string;
  readonly log: Logger;
  readonly metrics: Metrics;
  /**
   * Delay before a retry.
   *
   * @default `backOff` of retry.ts
   */
  readonly backOff?: (failuresInARow: number) => Milliseconds;
}

/** The shortest that brokers accept. After kill -9, a dead member keeps its partitions for this time. */
const SESSION_TIMEOUT_MS = 6_000;
const COMMIT_INTERVAL_MS = 500;
const RESTART_MS = 1_000;
/** For the pollers' Kafka client and consumers. By default kafkajs notices a returned broker up to 30 s late. */
export const KAFKA_RETRY = { initialRetryTime: 100, maxRetryTime: 1_000, retries: 5 } as const;

/**
 * One event source mapping. Each partition is delivered on its own: it is paused while the function has its records or
 * they wait for a retry, and the other partitions continue. Its offset is committed when the records are done. After
 * the death of a process, delivered records without a committed offset are delivered again. Like Lambda, the poller
 * reads records of open transactions.
 */
export class Poller {
  readonly #options: PollerOptions;
  readonly #batcher: Batcher;
  readonly #timestampType: string;
  #consumer: Consumer | null = null;
  #deliveries = new Map<number, { readonly done: Promise<void>; readonly abort: AbortController }>();
  /** Offsets to commit, by partition. */
  #toCommit = new Map<number, string>();
  /** Partitions that stand at a batch that can't be decoded, with the reason. */
  readonly #stopped = new Map<number, string>();
  /** Number of times that this poller has joined the group. */
  #generation = 0;
  #stopping = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #problem: string | null = "not started";

  constructor(options: PollerOptions) {
    const { mapping, brokers, metrics } = options;
    this.#options = options;
    this.#timestampType =
      Object.values<TopicSpec>(topics).find(({ name }) => name === mapping.topic)?.timestampType === "LogAppendTime"
        ? "LOG_APPEND_TIME"
        : "CREATE_TIME";
    this.#batcher = new Batcher({
      batchSize: mapping.batchSize,
      windowMs: mapping.batchingWindowMs,
      invoke: (records) => {
        metrics.add("event-source.invocations");
        return options.invoke(mskEvent(records, brokers, this.#timestampType));
      },
    });
  }

  /** Why records are not delivered at the moment; null when they are. */
  get problem(): string | null {
    return this.#problem ?? this.#stopped.values().next().value ?? null;
  }

  /** Begins to join the group, and retries until it succeeds. Returns at once. */
  start(): void {
    void this.#connect();
    this.#timer = setInterval(() => void this.#commit(), COMMIT_INTERVAL_MS);
  }

  /** Waits for deliveries in progress, commits, and leaves the group. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    clearInterval(this.#timer);
    await Promise.all([...this.#deliveries.values()].map(({ done }) => done));
    await this.#commit();
    await this.#consumer?.disconnect().catch(() => {});
  }

  /** Creates a consumer and joins the group. A consumer that crashes later is replaced by a new one. */
  async #connect(): Promise<void> {
    const { mapping, log } = this.#options;
    while (!this.#stopping.signal.aborted) {
      const consumer = this.#createConsumer();
      let replaced = false;
      const replace = async (error: Error): Promise<void> => {
        if (replaced) return;
        replaced = true;
        this.#problem = error.message;
        this.#consumer = null;
        this.#forget();
        log.warn({ err: error, group: mapping.consumerGroup }, "the consumer crashed: starting a new one");
        await consumer.disconnect().catch(() => {});
        await delay(RESTART_MS, this.#stopping.signal);
        await this.#connect();
      };
      try {
        await consumer.connect();
        await consumer.subscribe({ topic: mapping.topic, fromBeginning: true });
        consumer.on(consumer.events.CRASH, ({ payload }) => void replace(payload.error));
        await consumer.run({
          autoCommit: false,
          eachBatchAutoResolve: false,
          partitionsConsumedConcurrently: 4,
          eachBatch: (payload) => this.#receive(payload),
        });
        if (!replaced) this.#consumer = consumer;
        if (this.#stopping.signal.aborted) await consumer.disconnect();
        return;
      } catch (error) {
        if (replaced) return;
        this.#problem = (error as Error).message;
        log.warn({ err: error, group: mapping.consumerGroup }, "cannot consume yet: retrying");
        await consumer.disconnect().catch(() => {});
        await delay(RESTART_MS, this.#stopping.signal);
      }
    }
  }

  #createConsumer(): Consumer {
    const consumer = this.#options.kafka.consumer({
      groupId: this.#options.mapping.consumerGroup,
      readUncommitted: true,
      sessionTimeout: SESSION_TIMEOUT_MS,
      rebalanceTimeout: SESSION_TIMEOUT_MS,
      heartbeatInterval: 1_000,
      maxWaitTimeInMs: 200,
      retry: { ...KAFKA_RETRY, restartOnFailure: () => Promise.resolve(false) },
    });
    consumer.on(consumer.events.GROUP_JOIN, () => {
      this.#forget();
      this.#problem = null;
    });
    // kafkajs does not call eachBatch for a batch of transaction markers alone, but the position moves past it.
    consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload }) => {
      if (payload.batchSize === 0 && !this.#deliveries.has(payload.partition))
        this.#toCommit.set(payload.partition, (BigInt(payload.lastOffset) + 1n).toString());
    });
    return consumer;
  }

  /** A new generation begins at the committed offsets. Deliveries of the generation before must not be committed. */
  #forget(): void {
    for (const { abort } of this.#deliveries.values()) abort.abort();
    this.#toCommit.clear();
    this.#stopped.clear();
    this.#generation++;
  }

  async #receive(payload: EachBatchPayload): Promise<void> {
    const { batch } = payload;
    await this.#deliveries.get(batch.partition)?.done;
    const undecodable = undecodableIn(batch.messages);
    const messages = undecodable ? batch.messages.slice(0, undecodable.at) : batch.messages;
    if (undecodable) this.#stopAt(payload, undecodable.error);
    const last = messages.at(-1);
    if (this.#stopping.signal.aborted || last === undefined) return;
    const records = messages.map(({ offset, timestamp, key, value, headers }): KafkaRecord => ({
      topic: batch.topic,
      partition: batch.partition,
      offset: Number(offset),
      timestampMs: Number(timestamp),
      key,
      value,
      headers: headersInOrder(headers),
    }));
    const resume = undecodable ? () => undefined : payload.pause();
    payload.resolveOffset(last.offset);
    const abort = new AbortController();
    const done = this.#deliver(
      records,
      batch.partition,
      BigInt(undecodable ? last.offset : batch.lastOffset()) + 1n,
      AbortSignal.any([abort.signal, this.#stopping.signal]),
    ).finally(() => {
      this.#deliveries.delete(batch.partition);
      resume();
    });
    this.#deliveries.set(batch.partition, { done, abort });
  }

  /** Pauses a partition before a batch that can't be decoded, until the group is joined anew. */
  #stopAt(payload: EachBatchPayload, error: Error): void {
    const { topic, partition } = payload.batch;
    payload.pause();
    this.#stopped.set(partition, `${topic}/${partition} stands: ${error.message}`);
    this.#options.log.error({ err: error, topic, partition }, "a batch can't be decoded: its partition stands");
  }

  /** Delivers a fetched batch, with all retries. When aborted, it returns early and commits nothing more. */
  async #deliver(
    records: readonly KafkaRecord[],
    partition: number,
    nextOffset: bigint,
    aborted: AbortSignal,
  ): Promise<void> {
    const { mapping, metrics } = this.#options;
    let pending: readonly Slice[] = this.#slices(records);
    let failuresInARow = 0;
    while (pending.length > 0 && !aborted.aborted) {
      const [slice, ...rest] = pending as [Slice, ...Slice[]];
      const outcome = await this.#batcher.deliver(slice.records, failuresInARow > 0);
      const { pending: again, discarded, condition } = decide(slice, outcome, mapping, Date.now());
      const error = outcome.ok ? null : outcome.error;
      if (!outcome.ok) {
        failuresInARow++;
        this.#reportFailure(slice, partition, error, failuresInARow);
      }
      if (condition !== null) {
        const attempts = slice.failures + 1;
        if (!(await this.#discard(discarded, { partition, condition, attempts, error }))) {
          await delay(this.#backOff(failuresInARow), aborted);
          continue;
        }
      }
      pending = [...again, ...rest];
      const position = pending[0]?.records[0]?.offset;
      metrics.add(
        "event-source.records",
        slice.records.length - again.reduce((sum, { records: left }) => sum + left.length, 0) - discarded.length,
      );
      // After a rebalance the next generation may have begun at a lower offset.
      if (!aborted.aborted || this.#stopping.signal.aborted)
        this.#toCommit.set(partition, position === undefined ? nextOffset.toString() : String(position));
      if (outcome.ok || condition !== null) failuresInARow = 0;
      if (outcome.ok) this.#problem = null;
      else if (failuresInARow > 0 && pending.length > 0) await delay(this.#backOff(failuresInARow), aborted);
    }
  }

  #reportFailure({ records }: Slice, partition: number, error: unknown, failuresInARow: number): void {
    const { functionName, topic } = this.#options.mapping;
    this.#problem = `${functionName} fails: ${(error as Error).message}`;
    this.#options.metrics.add("event-source.retries");
    this.#options.log.warn(
      {
        err: error,
        function: functionName,
        topic,
        partition,
        offset: records[0]?.offset,
        records: records.length,
        failuresInARow,
      },
      "an invocation failed",
    );
  }

  /** Writes records to the on-failure destination. Returns false when it cannot be written. */
  async #discard(
    records: readonly KafkaRecord[],
    reason: Pick<Discarded, "condition" | "attempts" | "error"> & { readonly partition: number },
  ): Promise<boolean> {
    const { mapping, log, metrics, brokers, onFailureDir } = this.#options;
    const { partition, condition, attempts, error } = reason;
    try {
      await writeDiscarded(onFailureDir, mapping, {
        records,
        condition,
        attempts,
        error,
        brokers,
        timestampType: this.#timestampType,
        nowMs: Date.now(),
      });
    } catch (cause) {
      log.error({ err: cause }, "cannot write to the on-failure destination: retrying");
      return false;
    }
    metrics.add("event-source.discarded", records.length);
    log.error(
      {
        function: mapping.functionName,
        topic: mapping.topic,
        partition,
        offset: records[0]?.offset,
        records: records.length,
        condition,
      },
      "records went to the on-failure destination",
    );
    return true;
  }

  #backOff(failuresInARow: number): Milliseconds {
    return (this.#options.backOff ?? backOff)(failuresInARow);
  }

  #slices(records: readonly KafkaRecord[]): Slice[] {
    const slices: Slice[] = [];
    for (let from = 0; from < records.length;) {
      const count = fittingPrefix(records.slice(from), this.#options.mapping.batchSize);
      slices.push({ records: records.slice(from, from + count), failures: 0 });
      from += count;
    }
    return slices;
  }

  async #commit(): Promise<void> {
    if (this.#toCommit.size === 0 || this.#consumer === null) return;
    const offsets = this.#toCommit;
    const generation = this.#generation;
    this.#toCommit = new Map();
    try {
      await this.#consumer.commitOffsets(
        [...offsets].map(([partition, offset]) => ({ topic: this.#options.mapping.topic, partition, offset })),
      );
    } catch (error) {
      // The broker is away. The offsets are committed later, or delivered again if the group is joined again before.
      if (generation === this.#generation) this.#toCommit = new Map([...offsets, ...this.#toCommit]);
      this.#options.log.warn(
        { err: error, group: this.#options.mapping.consumerGroup },
        "cannot commit offsets: retrying",
      );
    }
  }
}

/** Resolves after `ms`, or when aborted. */
async function delay(ms: Milliseconds, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined);
}
