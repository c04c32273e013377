import type { Consumer, EachBatchPayload, Kafka } from "kafkajs";
import type { Logger } from "../../adapters/log.ts";
import type { Metrics } from "../../adapters/metrics.ts";
import type { EventSourceMapping } from "../../domain/event-source-mappings.ts";
import type { Milliseconds } from "../../domain/time.ts";
import { topics, type TopicSpec } from "../../domain/topics.ts";
import type { Invoke } from "../lambda/invoke.ts";
import { Batcher, fittingPrefix } from "./batcher.ts";
import { writeDiscarded } from "./destination.ts";
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
  /** Pause before a retry, see `backOff`. */
  readonly backOff?: (failuresInARow: number) => Milliseconds;
}

/** The least that brokers take: a dead member holds its partitions for this long after a kill -9. */
const SESSION_TIMEOUT_MS = 6_000;
const COMMIT_INTERVAL_MS = 500;
const RESTART_MS = 1_000;
/**
 * For the Kafka client that pollers get, and for their consumers: by default kafkajs waits up to 30 s for a broker that
 * is back.
 */
export const KAFKA_RETRY = { initialRetryTime: 100, maxRetryTime: 1_000, retries: 5 } as const;

/**
 * One event source mapping. Each partition is delivered on its own: while its records are with the function, or wait
 * for a retry, it is paused, and the others go on. Its offset is committed when they are done; what was delivered and
 * not committed when a process dies is delivered again. Uncommitted records of Kafka are read, as Lambda may do.
 */
export class Poller {
  readonly #options: PollerOptions;
  readonly #batcher: Batcher;
  readonly #timestampType: string;
  #consumer: Consumer | null = null;
  #deliveries = new Map<number, { readonly done: Promise<void>; readonly abort: AbortController }>();
  /** Offsets to commit, by partition. */
  #toCommit = new Map<number, string>();
  /** Counts the times that the group was joined. */
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

  /** What keeps records from being delivered at the moment, or null. */
  get problem(): string | null {
    return this.#problem;
  }

  /** Joins the group, and keeps trying until it is in; returns at once. */
  start(): void {
    void this.#connect();
    this.#timer = setInterval(() => void this.#commit(), COMMIT_INTERVAL_MS);
  }

  /** Waits for the deliveries that are under way, commits, and leaves the group. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    clearInterval(this.#timer);
    await Promise.all([...this.#deliveries.values()].map(({ done }) => done));
    await this.#commit();
    await this.#consumer?.disconnect().catch(() => {});
  }

  /** Makes a consumer and has it join; what crashes later is replaced by a new one. */
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
        log.warn({ err: error, group: mapping.consumerGroup }, "the consumer ended: starting a new one");
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
          eachBatch: (payload) => this.#take(payload),
        });
        if (!replaced) this.#consumer = consumer;
        if (this.#stopping.signal.aborted) await consumer.disconnect();
        return;
      } catch (error) {
        if (replaced) return;
        this.#problem = (error as Error).message;
        log.warn({ err: error, group: mapping.consumerGroup }, "can't consume yet: trying again");
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
    // A batch of nothing but transaction markers reaches no eachBatch, but it moves the position.
    consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload }) => {
      if (payload.batchSize === 0 && !this.#deliveries.has(payload.partition))
        this.#toCommit.set(payload.partition, (BigInt(payload.lastOffset) + 1n).toString());
    });
    return consumer;
  }

  /** A new generation begins at the committed offsets: what is under way from the one before is not committed. */
  #forget(): void {
    for (const { abort } of this.#deliveries.values()) abort.abort();
    this.#toCommit.clear();
    this.#generation++;
  }

  async #take(payload: EachBatchPayload): Promise<void> {
    const { batch } = payload;
    await this.#deliveries.get(batch.partition)?.done;
    const last = batch.messages.at(-1);
    if (this.#stopping.signal.aborted || last === undefined) return;
    const records = batch.messages.map(({ offset, timestamp, key, value, headers = {} }): KafkaRecord => ({
      topic: batch.topic,
      partition: batch.partition,
      offset: Number(offset),
      timestampMs: Number(timestamp),
      key,
      value,
      headers: Object.entries(headers).flatMap(([name, values]) =>
        [values ?? []].flat().map((bytes) => [name, Buffer.from(bytes)] as const),
      ),
    }));
    const resume = payload.pause();
    payload.resolveOffset(last.offset);
    const abort = new AbortController();
    const done = this.#deliver(
      records,
      batch.partition,
      BigInt(batch.lastOffset()) + 1n,
      AbortSignal.any([abort.signal, this.#stopping.signal]),
    ).finally(() => {
      this.#deliveries.delete(batch.partition);
      resume();
    });
    this.#deliveries.set(batch.partition, { done, abort });
  }

  /** Delivers a fetched batch to its end, retries included; returns early, committing no further, when aborted. */
  async #deliver(
    records: readonly KafkaRecord[],
    partition: number,
    nextOffset: bigint,
    aborted: AbortSignal,
  ): Promise<void> {
    const { mapping, log, metrics } = this.#options;
    let pending: readonly Slice[] = this.#slices(records);
    let failuresInARow = 0;
    while (pending.length > 0 && !aborted.aborted) {
      const [slice, ...rest] = pending as [Slice, ...Slice[]];
      const outcome = await this.#batcher.deliver(slice.records, failuresInARow > 0);
      const { pending: again, discarded, condition } = decide(slice, outcome, mapping, Date.now());
      if (!outcome.ok) {
        failuresInARow++;
        this.#problem = `${mapping.functionName} fails: ${(outcome.error as Error).message}`;
        metrics.add("event-source.retries");
        log.warn(
          {
            err: outcome.error,
            function: mapping.functionName,
            topic: mapping.topic,
            partition,
            offset: slice.records[0]?.offset,
            records: slice.records.length,
            failuresInARow,
          },
          "an invocation failed",
        );
      }
      if (condition !== null) {
        try {
          await writeDiscarded(this.#options.onFailureDir, mapping, {
            records: discarded,
            condition,
            attempts: slice.failures + 1,
            error: outcome.ok ? null : outcome.error,
            brokers: this.#options.brokers,
            timestampType: this.#timestampType,
            nowMs: Date.now(),
          });
        } catch (error) {
          log.error({ err: error }, "the on-failure destination can't be written: the records stay where they are");
          await delay(this.#backOff(failuresInARow), aborted);
          continue;
        }
        metrics.add("event-source.discarded", discarded.length);
        log.error(
          {
            function: mapping.functionName,
            topic: mapping.topic,
            partition,
            offset: discarded[0]?.offset,
            records: discarded.length,
            condition,
          },
          "records went to the on-failure destination",
        );
      }
      pending = [...again, ...rest];
      const position = pending[0]?.records[0]?.offset;
      metrics.add(
        "event-source.records",
        slice.records.length - again.reduce((sum, { records: left }) => sum + left.length, 0) - discarded.length,
      );
      // Not for a generation that is over: its successor may have begun below this.
      if (!aborted.aborted || this.#stopping.signal.aborted)
        this.#toCommit.set(partition, position === undefined ? nextOffset.toString() : String(position));
      if (outcome.ok || condition !== null) failuresInARow = 0;
      if (outcome.ok) this.#problem = null;
      else if (failuresInARow > 0 && pending.length > 0) await delay(this.#backOff(failuresInARow), aborted);
    }
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
      // The broker is gone: commit later, unless the group is joined anew, when those records are delivered again.
      if (generation === this.#generation) this.#toCommit = new Map([...offsets, ...this.#toCommit]);
      this.#options.log.warn({ err: error, group: this.#options.mapping.consumerGroup }, "could not commit offsets");
    }
  }
}

function delay(ms: Milliseconds, aborted: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (aborted.aborted) {
      resolve();
      return;
    }
    const timer = setTimeout(done, ms);
    function done(): void {
      clearTimeout(timer);
      aborted.removeEventListener("abort", done);
      resolve();
    }
    aborted.addEventListener("abort", done);
  });
}
