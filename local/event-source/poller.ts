import { setTimeout as sleep } from "node:timers/promises";
import type { Cluster } from "kafkajs";
import { partitionBounds } from "../../adapters/kafka-cluster.ts";
import { FetchFailed, type FetchedPartition } from "../../adapters/kafka-records.ts";
import type { Logger } from "../../adapters/log.ts";
import type { Metrics } from "../../adapters/metrics.ts";
import type { LogRecord } from "../../adapters/record-batches.ts";
import type { EventSourceMapping } from "../../domain/event-source-mappings.ts";
import type { Milliseconds } from "../../domain/time.ts";
import { topics, type TopicSpec } from "../../domain/topics.ts";
import type { Invoke } from "../lambda/invoke.ts";
import { Batcher, fittingPrefix } from "./batcher.ts";
import { writeDiscarded, type Discarded } from "./destination.ts";
import { mskEvent, type KafkaRecord } from "./event.ts";
import { fetchPartitions } from "./fetch-partitions.ts";
import { commitOffsets, committedOffsets } from "./group-offsets.ts";
import { backOff, decide, type Slice } from "./retry.ts";

export interface PollerOptions {
  readonly mapping: EventSourceMapping;
  readonly invoke: Invoke;
  /** Connections to Kafka; all pollers share them. */
  readonly cluster: Cluster;
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

/** Commits of partitions that are done within this time share a request. */
const COMMIT_DELAY_MS = 500;
const RETRY_MS = 1_000;
/** For the pollers' Kafka client. By default kafkajs notices a returned broker up to 30 s late. */
export const KAFKA_RETRY = { initialRetryTime: 100, maxRetryTime: 1_000, retries: 5 } as const;

/**
 * One event source mapping. Once in a batching window it fetches what all partitions have, and delivers that; a
 * partition that has more is fetched again as soon as that is done. Each partition is delivered on its own: it is not
 * fetched while the function has its records or they wait for a retry, and the other partitions continue. Its offset is
 * committed when the records are done. After the death of a process, delivered records without a committed offset are
 * delivered again. Like Lambda, the poller reads records of open transactions.
 */
export class Poller {
  readonly #options: PollerOptions;
  readonly #batcher: Batcher;
  readonly #timestampType: string;
  /** Offset to fetch next, by partition; empty until the group's are known. Who waited longest for records is first. */
  readonly #positions = new Map<number, number>();
  /** Partitions that had more when they were fetched last. */
  readonly #behind = new Set<number>();
  readonly #deliveries = new Map<number, Promise<void>>();
  /** Offsets that the group has committed, by partition. */
  readonly #committed = new Map<number, number>();
  /** Offsets to commit, by partition. */
  #toCommit = new Map<number, number>();
  #commitTimer: NodeJS.Timeout | undefined;
  /** Partitions that stand at a batch that can't be decoded, with the reason. */
  readonly #stopped = new Map<number, string>();
  readonly #stopping = new AbortController();
  /** Ends the rest between two fetches. */
  #wake: () => void = () => {};
  #running: Promise<void> = Promise.resolve();
  #kafkaProblem: string | null = "not started";
  #functionProblem: string | null = null;

  constructor(options: PollerOptions) {
    const { mapping, brokers, metrics } = options;
    this.#options = options;
    this.#timestampType =
      Object.values<TopicSpec>(topics).find(({ name }) => name === mapping.topic)?.timestampType === "LogAppendTime"
        ? "LOG_APPEND_TIME"
        : "CREATE_TIME";
    this.#batcher = new Batcher({
      batchSize: mapping.batchSize,
      invoke: (records) => {
        metrics.add("event-source.invocations");
        return options.invoke(mskEvent(records, brokers, this.#timestampType));
      },
    });
  }

  /** Why records are not delivered at the moment; null when they are. */
  get problem(): string | null {
    return this.#functionProblem ?? this.#kafkaProblem ?? this.#stopped.values().next().value ?? null;
  }

  /** Offset before which the group has committed everything, by partition. */
  get committed(): ReadonlyMap<number, number> {
    return this.#committed;
  }

  /** Begins to poll, and retries until Kafka answers. Returns at once. */
  start(): void {
    this.#running = this.#run();
  }

  /** Waits for deliveries in progress, and commits. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#wake();
    await this.#running;
    await Promise.all(this.#deliveries.values());
    clearTimeout(this.#commitTimer);
    await this.#commit();
  }

  async #run(): Promise<void> {
    const { mapping, log } = this.#options;
    while (!this.#stopping.signal.aborted) {
      const dueAt = performance.now() + mapping.batchingWindowMs;
      try {
        if (this.#positions.size === 0) await this.#open();
        const moved = await this.#poll();
        this.#kafkaProblem = null;
        if (!(moved && this.#hasMore())) await this.#rest(dueAt - performance.now());
      } catch (error) {
        this.#kafkaProblem = (error as Error).message;
        log.warn({ err: error, group: mapping.consumerGroup }, "cannot poll: retrying");
        await this.#afterError(error);
      }
    }
  }

  /** Learns where the group is. It begins at the start of a partition of which it has committed nothing. */
  async #open(): Promise<void> {
    const { cluster, mapping } = this.#options;
    await cluster.connect();
    await cluster.addTargetTopic(mapping.topic);
    const partitions = cluster.findTopicPartitionMetadata(mapping.topic).map(({ partitionId }) => partitionId);
    const committed = await committedOffsets(cluster, mapping.consumerGroup, mapping.topic, partitions);
    for (const partition of partitions) this.#beginAt(partition, committed.get(partition) ?? 0);
  }

  #beginAt(partition: number, offset: number): void {
    this.#positions.set(partition, offset);
    this.#committed.set(partition, offset);
  }

  /** Fetches from all partitions that may be, and begins to deliver. Returns whether anything came. */
  async #poll(): Promise<boolean> {
    const { cluster, mapping } = this.#options;
    for (const { partitionId } of cluster.findTopicPartitionMetadata(mapping.topic))
      if (!this.#positions.has(partitionId)) this.#beginAt(partitionId, 0);
    const positions = [...this.#positions]
      .filter(([partition]) => this.#isIdle(partition))
      .map(([partition, fetchOffset]) => ({ partition, fetchOffset }));
    if (positions.length === 0) return false;
    let failed: FetchFailed | null = null;
    let moved = false;
    for (const fetched of await fetchPartitions(cluster, mapping.topic, positions)) {
      const { partition, nextOffset, highWatermark, problem } = fetched;
      if (this.#stopping.signal.aborted) return false;
      if (problem instanceof FetchFailed) {
        if (problem.type === "OFFSET_OUT_OF_RANGE") await this.#toStart(partition);
        else failed ??= problem;
        continue;
      }
      if (problem) this.#stopAt(partition, problem);
      if (nextOffset < highWatermark) this.#behind.add(partition);
      else this.#behind.delete(partition);
      if (nextOffset === this.#positions.get(partition)) continue;
      moved = true;
      this.#positions.delete(partition);
      this.#positions.set(partition, nextOffset);
      this.#start(fetched);
    }
    if (failed) throw failed;
    return moved;
  }

  #isIdle(partition: number): boolean {
    return !this.#deliveries.has(partition) && !this.#stopped.has(partition);
  }

  /** Whether a partition can be fetched that has more. */
  #hasMore(): boolean {
    return [...this.#behind].some((partition) => this.#isIdle(partition));
  }

  async #rest(ms: Milliseconds): Promise<void> {
    if (ms <= 0 || this.#stopping.signal.aborted) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = () => {};
  }

  /** Another broker may lead, or the same one may have come back. */
  async #afterError(error: unknown): Promise<void> {
    const { cluster } = this.#options;
    const { name, host, port } = error as { name?: string; host?: string; port?: number };
    if (name === "KafkaJSConnectionClosedError" && host !== undefined && port !== undefined)
      cluster.removeBroker({ host, port });
    await this.#rest(RETRY_MS);
    if (this.#stopping.signal.aborted) return;
    await cluster
      .connect()
      .then(() => cluster.refreshMetadata())
      .catch(() => undefined);
  }

  /** What the group should read next is no longer in the log, or was in another one of that name. */
  async #toStart(partition: number): Promise<void> {
    const { cluster, mapping } = this.#options;
    const { earliest } = await partitionBounds(cluster, mapping.topic, partition);
    this.#beginAt(partition, earliest);
    this.#behind.add(partition);
  }

  /** Leaves a partition alone from a batch on that can't be decoded, until the program starts again. */
  #stopAt(partition: number, error: Error): void {
    this.#stopped.set(partition, error.message);
    const { topic } = this.#options.mapping;
    this.#options.log.error({ err: error, topic, partition }, "a batch can't be decoded: its partition stands");
  }

  #start({ partition, records, nextOffset }: FetchedPartition): void {
    const { topic } = this.#options.mapping;
    const done = this.#deliver(
      records.map((record) => toKafkaRecord(topic, record)),
      partition,
      nextOffset,
    ).finally(() => {
      this.#deliveries.delete(partition);
      if (this.#behind.has(partition)) this.#wake();
    });
    this.#deliveries.set(partition, done);
  }

  /**
   * Delivers what was fetched of a partition, with all retries. When the poller stops, it returns after the invocation
   * in progress. Transaction markers alone are no records, but the position moves past them.
   */
  async #deliver(records: readonly KafkaRecord[], partition: number, nextOffset: number): Promise<void> {
    const { mapping, metrics } = this.#options;
    const aborted = this.#stopping.signal;
    if (records.length === 0) this.#commitSoon(partition, nextOffset);
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
      this.#commitSoon(partition, position ?? nextOffset);
      if (outcome.ok || condition !== null) failuresInARow = 0;
      if (outcome.ok) this.#functionProblem = null;
      else if (failuresInARow > 0 && pending.length > 0) await delay(this.#backOff(failuresInARow), aborted);
    }
  }

  #reportFailure({ records }: Slice, partition: number, error: unknown, failuresInARow: number): void {
    const { functionName, topic } = this.#options.mapping;
    this.#functionProblem = `${functionName} fails: ${(error as Error).message}`;
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
      log.warn({ err: cause }, "cannot write to the on-failure destination: retrying");
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

  #commitSoon(partition: number, offset: number): void {
    this.#toCommit.set(partition, offset);
    this.#commitTimer ??= setTimeout(() => void this.#commit(), COMMIT_DELAY_MS);
  }

  async #commit(): Promise<void> {
    this.#commitTimer = undefined;
    if (this.#toCommit.size === 0) return;
    const { cluster, mapping, log } = this.#options;
    const offsets = this.#toCommit;
    this.#toCommit = new Map();
    try {
      await commitOffsets(cluster, mapping.consumerGroup, mapping.topic, offsets);
      for (const [partition, offset] of offsets) this.#committed.set(partition, offset);
    } catch (error) {
      log.warn({ err: error, group: mapping.consumerGroup }, "cannot commit offsets: retrying");
      this.#toCommit = new Map([...offsets, ...this.#toCommit]);
      if (!this.#stopping.signal.aborted) this.#commitTimer ??= setTimeout(() => void this.#commit(), RETRY_MS);
    }
  }
}

function toKafkaRecord(
  topic: string,
  { partition, offset, timestamp, key, value, recordHeaders }: LogRecord,
): KafkaRecord {
  return { topic, partition, offset, timestampMs: timestamp, key, value, headers: recordHeaders };
}

/** Resolves after `ms`, or when aborted. */
async function delay(ms: Milliseconds, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined);
}
