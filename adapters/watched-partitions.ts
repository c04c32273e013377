import type { FetchedPartition } from "./kafka-records.ts";
import { keyPartitioner } from "./key-partitioner.ts";

/** A topic that a tail follows. */
export interface FollowedTopic {
  readonly topic: string;
  /** Whether its keys are symbols; otherwise they are sensors. */
  readonly ofMarket: boolean;
  /** Whether partitions of which nobody watches a key are read, too, at a slow pace. */
  readonly always: boolean;
}

/** The keys that somebody watches. */
export interface WatchedKeys {
  readonly sensors: { keys(): Iterable<string> };
  /** Not null where somebody watches all sensors. */
  readonly ofOthers: object | null;
  readonly symbols: { keys(): Iterable<string> };
}

/** A partition that this process has. */
export interface FollowedPartition {
  readonly topic: string;
  readonly partition: number;
  /** Node id of its leader; null before it is known. */
  leader: string | null;
  /** Whether somebody watches a key of it. */
  watched: boolean;
  /** Offset to fetch next; null while it is not read. */
  offset: number | null;
  /** Whether another process may have read it until a moment ago: until this one has first looked where it stands. */
  takenOver: boolean;
  /** When it is due if nobody watches it, in milliseconds of `performance.now`. */
  dueAtMs: number;
  /** Records that are not read yet. */
  lag: number;
  /** Why it is not read any further; null while it is. */
  stopped: string | null;
}

/**
 * Time between two fetches of a partition that nobody watches. They fall on whole multiples, so that all such
 * partitions share a fetch.
 */
const SLOW_MS = 1_000;

/** The partitions of this process, which of them are read, and from where. */
export class WatchedPartitions {
  readonly #topics: readonly FollowedTopic[];
  #partitions: readonly FollowedPartition[] = [];

  constructor(topics: readonly FollowedTopic[]) {
    this.#topics = topics;
  }

  get all(): readonly FollowedPartition[] {
    return this.#partitions;
  }

  /** Takes over an assignment: the partitions of these numbers, of each topic that has them. Others are forgotten. */
  assign(numbers: readonly number[], countOf: (topic: string) => number): void {
    const before = this.#partitions;
    this.#partitions = this.#topics.flatMap(({ topic }) =>
      numbers
        .filter((number) => number < countOf(topic))
        .map(
          (partition) =>
            before.find((one) => one.topic === topic && one.partition === partition) ?? fresh(topic, partition),
        ),
    );
  }

  /** Whether this partition still is one of this process. */
  has(partition: FollowedPartition): boolean {
    return this.#partitions.includes(partition);
  }

  /**
   * Stops reading where nobody watches any more.
   *
   * @returns The partitions that are to be read from now on, and have no offset yet
   */
  watch(keys: WatchedKeys, countOf: (topic: string) => number): FollowedPartition[] {
    const wanted: FollowedPartition[] = [];
    for (const { topic, ofMarket, always } of this.#topics) {
      const watchesAll = !ofMarket && keys.ofOthers !== null;
      const watched = partitionsOf((ofMarket ? keys.symbols : keys.sensors).keys(), topic, countOf(topic));
      for (const one of this.#partitions) {
        if (one.topic !== topic) continue;
        one.watched = watchesAll || watched.has(one.partition);
        if (one.watched || always) {
          if (one.offset === null && one.stopped === null) wanted.push(one);
        } else {
          one.offset = null;
          one.takenOver = false;
          one.lag = 0;
        }
      }
    }
    return wanted;
  }

  /** The partitions that are to be fetched now. */
  due(nowMs: number): FollowedPartition[] {
    return this.#partitions.filter(
      ({ offset, stopped, watched, dueAtMs }) => offset !== null && stopped === null && (watched || dueAtMs <= nowMs),
    );
  }

  /**
   * Notes what was fetched of a partition. Where a batch can't be decoded it stands, for as long as it is this
   * process's.
   */
  took(one: FollowedPartition, { nextOffset, highWatermark, problem }: FetchedPartition): void {
    one.offset = nextOffset;
    one.lag = Math.max(0, highWatermark - nextOffset);
    if (problem) one.stopped = problem.message;
  }

  /** When a partition that nobody watches is to be fetched again. */
  static nextDue(nowMs: number): number {
    return (Math.floor(nowMs / SLOW_MS) + 1) * SLOW_MS;
  }

  /** Records that are not read yet, of the partitions that are read. */
  get lag(): number {
    return this.#partitions.reduce((sum, { lag }) => sum + lag, 0);
  }

  /** Partitions that stand, with the reason. */
  get stopped(): ReadonlyMap<string, string> {
    return new Map(
      this.#partitions.flatMap(({ topic, partition, stopped }) =>
        stopped === null ? [] : [[`${topic}/${partition}`, stopped] as const],
      ),
    );
  }
}

function fresh(topic: string, partition: number): FollowedPartition {
  return {
    topic,
    partition,
    leader: null,
    watched: false,
    offset: null,
    takenOver: true,
    dueAtMs: 0,
    lag: 0,
    stopped: null,
  };
}

/** The partitions of keys among `count`. */
function partitionsOf(keys: Iterable<string>, topic: string, count: number): Set<number> {
  const partitionOf = keyPartitioner(topic, count);
  const found = new Set<number>();
  for (const key of keys) {
    if (found.size === count) break;
    found.add(partitionOf(key));
  }
  return found;
}
