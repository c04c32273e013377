import { setTimeout as delay } from "node:timers/promises";
import type { Cluster, Kafka } from "kafkajs";
import { SECOND } from "../domain/time.ts";
import { openCluster } from "./kafka-cluster.ts";
import { KafkaMembership } from "./kafka-membership.ts";
import { FetchFailed, fetchTopics, ISOLATION, type FetchedTopicPartition } from "./kafka-records.ts";
import { keyPartitioner } from "./key-partitioner.ts";
import type { Logger } from "./log.ts";
import type { LogRecord } from "./record-batches.ts";
import {
  WatchedPartitions,
  type FollowedPartition,
  type FollowedTopic,
  type WatchedKeys,
} from "./watched-partitions.ts";

/** What to follow, and what to call. */
export interface TailOptions {
  readonly topics: readonly FollowedTopic[];
  readonly groupId: string;
  /** Called for each record, in the order of its partition. It must not block or throw. */
  readonly onRecord: (topic: string, record: LogRecord) => void;
  /** Called after each fetch with the number of records not read yet, over all partitions that are read. */
  readonly onLag: (records: number) => void;
  readonly log: Logger;
}

/** How long the broker may hold a fetch that finds nothing. A partition that is watched meanwhile waits for it. */
const MAX_WAIT_MS = 100;
const FETCH_BYTES = { maxBytes: 10_485_760, maxBytesPerPartition: 1_048_576 } as const;
/**
 * Wait after a small answer, so that the next fetch brings the records of some milliseconds: a request costs more than
 * the records in it.
 */
const LINGER_MS = 8;
/** An answer from this size on is followed at once: there is more. */
const LARGE_ANSWER_BYTES = 262_144;
/** First and longest wait after a failed fetch. It doubles. */
const RETRY_MS = { first: 50, most: 1_000 } as const;
/** Wait before the group is joined again. */
const REJOIN_MS = 2_000;
/**
 * How far back a process begins that takes a watched partition over: as long as the group may need to notice that its
 * reader is gone. Clients drop by id what they get again.
 */
const TAKEOVER_MS = 15 * SECOND;

/**
 * Follows topics as a member of a consumer group, so that one process reads each partition. It reads a partition while
 * somebody watches a key of it, from the end that it has when that is noticed; the group decides nothing but who reads
 * it. A process that takes over a partition reads what was appended in the last seconds, too, but nothing from before
 * its own start.
 *
 * It reads uncommitted records, too: a repeated transaction writes the same records, which `SeenIds` recognises.
 */
export class TopicTail {
  readonly #options: TailOptions;
  readonly #cluster: Cluster;
  readonly #membership: KafkaMembership;
  readonly #partitions: WatchedPartitions;
  readonly #startedAtMs = Date.now();
  /** One loop per broker, by node id. */
  readonly #loops = new Map<string, Promise<void>>();
  /** Ends the waits of loops that have nothing to fetch. */
  readonly #wakes = new Set<() => void>();
  #assigned: readonly number[] = [];
  #keys: WatchedKeys = { sensors: new Map(), ofOthers: null, symbols: new Map() };
  #connected: Promise<void> | null = null;
  /** The update that runs or has run last, and the one that comes after it. */
  #turn: Promise<void> = Promise.resolve();
  #next: Promise<void> | null = null;
  #closed = false;

  constructor(kafka: Kafka, options: TailOptions) {
    this.#options = options;
    this.#cluster = openCluster(kafka, "uncommitted");
    const topics = options.topics.map(({ topic }) => topic);
    this.#membership = new KafkaMembership(kafka, options.groupId, topics, options.log);
    this.#partitions = new WatchedPartitions(options.topics);
  }

  /** Joins the group. Returns at once, and keeps trying until `stop`. */
  start(): void {
    const { log } = this.#options;
    const rejoin = (error: unknown): void => {
      if (this.#closed) return;
      log.warn({ err: error }, "not a member of the group; joining again");
      setTimeout(() => this.start(), REJOIN_MS);
    };
    if (this.#closed) return;
    this.#membership
      .join({
        onAssigned: (partitions) => {
          this.#assigned = partitions;
          void this.#update().then(() => log.info({ partitions }, "joined the group"));
        },
        onRebalancing: () => undefined,
        onLost: rejoin,
      })
      .catch(rejoin);
  }

  /** Whether it is a member of its consumer group. */
  get joined(): boolean {
    return this.#membership.joined;
  }

  /** Partitions that stand at a batch that can't be decoded, each with the reason. */
  get stopped(): ReadonlyMap<string, string> {
    return this.#partitions.stopped;
  }

  /**
   * Replaces the keys that somebody watches. To be called from time to time: it tries again what has failed.
   *
   * @returns When it is known where reading of them begins, or that this has failed.
   */
  watch(keys: WatchedKeys): Promise<void> {
    this.#keys = keys;
    return this.#update();
  }

  /** Offset to read next; null where this process does not read the partition. */
  position(topic: string, partition: number): number | null {
    return this.#partitions.all.find((one) => one.topic === topic && one.partition === partition)?.offset ?? null;
  }

  /** The partition of a key, by Kafka's partitioner. The topic must have partitions that are known. */
  partitionOf(topic: string, key: string): number {
    return keyPartitioner(topic, this.countOf(topic))(key);
  }

  /** How many partitions a topic has; 0 before this process has any of them. */
  countOf(topic: string): number {
    return this.#partitions.all.length === 0 ? 0 : this.#cluster.findTopicPartitionMetadata(topic).length;
  }

  /** Leaves the group and disconnects, each loop after its fetch. */
  async stop(): Promise<void> {
    this.#closed = true;
    this.#wake();
    await Promise.all([this.#membership.leave(), ...this.#loops.values()]);
    await this.#cluster.disconnect();
  }

  /** Brings what is read in line with assignment and keys. Calls that come while it does so share the next turn. */
  #update(): Promise<void> {
    this.#next ??= this.#turn.then(() => {
      this.#next = null;
      return (this.#turn = this.#updateOnce());
    });
    return this.#next;
  }

  /** Never rejects: the next call tries again. */
  async #updateOnce(): Promise<void> {
    if (this.#closed) return;
    try {
      await (this.#connected ??= this.#connect());
      const countOf = (topic: string): number => this.#cluster.findTopicPartitionMetadata(topic).length;
      this.#partitions.assign(this.#assigned, countOf);
      await this.#locate(this.#partitions.watch(this.#keys, countOf));
      this.#findLeaders();
    } catch (error) {
      if (this.#closed) return;
      this.#options.log.warn({ err: error }, "the ends of partitions can't be read; trying again");
      await this.#cluster.refreshMetadata().catch(() => undefined);
    }
  }

  async #connect(): Promise<void> {
    try {
      await this.#cluster.connect();
      await this.#cluster.addMultipleTargetTopics(this.#options.topics.map(({ topic }) => topic));
    } catch (error) {
      this.#connected = null;
      throw error;
    }
  }

  /** Finds where reading of these partitions begins. */
  async #locate(partitions: readonly FollowedPartition[]): Promise<void> {
    if (partitions.length === 0) return;
    const ends = await this.#offsets(partitions, { fromBeginning: false });
    const takenOver = partitions.filter((one) => one.takenOver);
    const fromTimestamp = Math.max(this.#startedAtMs, Date.now() - TAKEOVER_MS);
    const starts = takenOver.length > 0 ? await this.#offsets(takenOver, { fromTimestamp }) : new Map<string, number>();
    for (const one of partitions) {
      // -1: nothing has been appended since.
      const start = starts.get(nameOf(one)) ?? -1;
      one.offset = start < 0 ? (ends.get(nameOf(one)) ?? null) : start;
      one.takenOver = false;
    }
  }

  /** Offsets by `<topic>/<partition>`, as the leaders of the partitions give them. */
  async #offsets(
    partitions: readonly FollowedPartition[],
    which: { readonly fromBeginning: false } | { readonly fromTimestamp: number },
  ): Promise<Map<string, number>> {
    const byTopic = Map.groupBy(partitions, ({ topic }) => topic);
    const answers = await this.#cluster.fetchTopicsOffset(
      [...byTopic].map(([topic, ofTopic]) => ({
        topic,
        partitions: ofTopic.map(({ partition }) => ({ partition })),
        ...which,
      })),
    );
    return new Map(
      answers.flatMap(({ topic, partitions: found }) =>
        found.map(({ partition, offset }) => [`${topic}/${partition}`, Number(offset)] as const),
      ),
    );
  }

  /** Notes who leads which partition, and makes sure that each leader's loop runs. */
  #findLeaders(): void {
    for (const [topic, ofTopic] of Map.groupBy(this.#partitions.all, (one) => one.topic)) {
      const leaders = this.#cluster.findLeaderForPartitions(
        topic,
        ofTopic.map(({ partition }) => partition),
      );
      for (const [node, led] of Object.entries(leaders))
        for (const one of ofTopic) if (led.includes(one.partition)) one.leader = node;
    }
    for (const { leader } of this.#partitions.all)
      if (leader !== null && !this.#loops.has(leader)) this.#loops.set(leader, this.#loop(leader));
    this.#wake();
  }

  /** Fetches from one broker until `stop`. */
  async #loop(node: string): Promise<void> {
    for (let wait: number = RETRY_MS.first; !this.#closed;) {
      const due = this.#partitions.due(performance.now()).filter(({ leader }) => leader === node);
      if (due.length === 0) {
        await this.#idle();
        continue;
      }
      try {
        const bytes = await this.#fetch(node, due);
        wait = RETRY_MS.first;
        if (bytes < LARGE_ANSWER_BYTES) await delay(LINGER_MS);
      } catch (error) {
        await this.#afterError(error, wait);
        wait = Math.min(wait * 2, RETRY_MS.most);
      }
    }
  }

  /** Waits until something changes, or a partition that nobody watches may be due. */
  #idle(): Promise<void> {
    const nowMs = performance.now();
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#wakes.delete(done);
        resolve();
      };
      const timer = setTimeout(done, WatchedPartitions.nextDue(nowMs) - nowMs);
      this.#wakes.add(done);
    });
  }

  #wake(): void {
    for (const done of [...this.#wakes]) done();
  }

  /** Returns the bytes of the records that came. */
  async #fetch(node: string, due: readonly FollowedPartition[]): Promise<number> {
    await this.#cluster.refreshMetadataIfNecessary();
    const broker = await this.#cluster.findBroker({ nodeId: node });
    const asked = new Map(due.map((one) => [nameOf(one), { one, fetchOffset: one.offset! }]));
    const positions = [...asked.values()].map(({ one: { topic, partition }, fetchOffset }) => ({
      topic,
      partition,
      fetchOffset,
    }));
    const limits = { ...FETCH_BYTES, maxWaitMs: due.some(({ watched }) => watched) ? MAX_WAIT_MS : 0 };
    const answer = await fetchTopics(broker, positions, limits, ISOLATION.uncommitted);
    if (this.#closed) return 0;
    const nextDue = WatchedPartitions.nextDue(performance.now());
    let bytes = 0;
    let failed: FetchFailed | null = null;
    for (const fetched of answer) {
      const { one, fetchOffset } = asked.get(nameOf(fetched))!;
      // It may be another process's by now, or have begun anew at its end.
      if (!this.#partitions.has(one) || one.offset !== fetchOffset) continue;
      one.dueAtMs = nextDue;
      if (fetched.problem instanceof FetchFailed) {
        if (fetched.problem.type === "OFFSET_OUT_OF_RANGE") this.#beginAnew(one);
        else failed ??= fetched.problem;
      } else bytes += this.#take(one, fetched);
    }
    this.#options.onLag(this.#partitions.lag);
    if (failed) throw failed;
    return bytes;
  }

  /** Hands out what was fetched of a partition. Returns its bytes. */
  #take(one: FollowedPartition, fetched: FetchedTopicPartition): number {
    const { records, nextOffset: offset, problem } = fetched;
    this.#partitions.took(one, fetched);
    let bytes = 0;
    for (const record of records) {
      bytes += record.size;
      this.#options.onRecord(one.topic, record);
    }
    const { log } = this.#options;
    if (problem) log.error({ err: problem, partition: nameOf(one), offset }, "the partition stands");
    return bytes;
  }

  /** The log has no offset where reading stood: it was cut. */
  #beginAnew(one: FollowedPartition): void {
    const { log } = this.#options;
    log.warn({ partition: nameOf(one), offset: one.offset }, "the log has no such offset; reading on from its end");
    one.offset = null;
    void this.#update();
  }

  async #afterError(error: unknown, wait: number): Promise<void> {
    const { name, host, port } = error as { name?: string; host?: string; port?: number };
    this.#options.log.warn({ err: error }, "a fetch failed; trying again");
    if (name === "KafkaJSConnectionClosedError" && host !== undefined && port !== undefined)
      this.#cluster.removeBroker({ host, port });
    await delay(wait);
    if (this.#closed) return;
    await this.#cluster
      .connect()
      .then(() => this.#cluster.refreshMetadata())
      .then(() => this.#findLeaders())
      .catch(() => undefined);
  }
}

function nameOf({ topic, partition }: { readonly topic: string; readonly partition: number }): string {
  return `${topic}/${partition}`;
}
