import type { Broker, Cluster } from "kafkajs";
import { MillraceError } from "../domain/errors.ts";
import { askLeader } from "./kafka-cluster.ts";
import { createErrorFromCode, fetchRequest, sendTo, type Exchange } from "./kafkajs-internals.ts";
import { decodeRecordBatches, type AbortedTransaction, type LogRecord } from "./record-batches.ts";

/** Where to fetch from. */
export interface FetchPosition {
  readonly partition: number;
  readonly fetchOffset: number;
}

/** Where to fetch from, of any topic. */
export interface TopicPosition extends FetchPosition {
  readonly topic: string;
}

/** What a broker answered for one partition. */
export interface FetchedPartition {
  readonly partition: number;
  /** Offset that the next record will get, committed or not. */
  readonly highWatermark: number;
  /** Committed records, in offset order. */
  readonly records: LogRecord[];
  /** Offset to fetch next. */
  readonly nextOffset: number;
  /** Why there is nothing from `nextOffset` on; null when there may be. */
  readonly problem: FetchFailed | MillraceError | null;
}

export interface FetchedTopicPartition extends FetchedPartition {
  readonly topic: string;
}

/** Limits of one fetch. */
export interface FetchLimits {
  /** How long the broker may hold a fetch that finds nothing. */
  readonly maxWaitMs: number;
  readonly maxBytes: number;
  readonly maxBytesPerPartition: number;
}

/** A partition's error in an answer. `type` is the name that kafkajs gives it, such as `OFFSET_OUT_OF_RANGE`. */
export class FetchFailed extends Error {
  readonly type: string;
  /** Kafka's number of the error. */
  readonly code: number;
  readonly partition: number;
  constructor(topic: string, partition: number, cause: Error & { readonly type?: string; readonly code?: number }) {
    super(`fetching ${topic}/${partition} failed: ${cause.message}`, { cause });
    this.name = "FetchFailed";
    this.type = cause.type ?? "UNKNOWN";
    this.code = cause.code ?? -1;
    this.partition = partition;
  }
}

/** Isolation levels of a fetch. */
export const ISOLATION = { uncommitted: 0, committed: 1 } as const;
export type Isolation = (typeof ISOLATION)[keyof typeof ISOLATION];
/** How long an answer may take, besides the time that the broker may hold the fetch. */
const REQUEST_TIMEOUT_MS = 30_000;

/** As `fetchTopics`, of one topic. */
export function fetchFrom(
  broker: Broker,
  topic: string,
  positions: readonly FetchPosition[],
  limits: FetchLimits,
  isolation: Isolation = ISOLATION.committed,
): Promise<FetchedTopicPartition[]> {
  const ofTopic = positions.map(({ partition, fetchOffset }) => ({ topic, partition, fetchOffset }));
  return fetchTopics(broker, ofTopic, limits, isolation);
}

/**
 * Sends one fetch to a broker, for partitions of any number of topics. Request and connection are those of kafkajs;
 * `record-batches.ts` decodes the answer.
 *
 * @returns Of each partition what came, or its problem: a `FetchFailed` of Kafka's, such as that another broker leads
 *   it, or `input-undecodable`.
 * @throws The error of kafkajs when there is no answer.
 */
export async function fetchTopics(
  broker: Broker,
  positions: readonly TopicPosition[],
  limits: FetchLimits,
  isolation: Isolation,
): Promise<FetchedTopicPartition[]> {
  const asked = new Map<string, Map<number, number>>();
  for (const { topic, partition, fetchOffset } of positions) {
    let offsets = asked.get(topic);
    if (!offsets) asked.set(topic, (offsets = new Map()));
    offsets.set(partition, fetchOffset);
  }
  const request = fetchRequest({
    replicaId: -1,
    maxWaitTime: limits.maxWaitMs,
    minBytes: 1,
    maxBytes: limits.maxBytes,
    isolationLevel: isolation,
    topics: [...asked].map(([topic, offsets]) => ({
      topic,
      partitions: [...offsets].map(([partition, fetchOffset]) => ({
        partition,
        fetchOffset: String(fetchOffset),
        maxBytes: limits.maxBytesPerPartition,
      })),
    })),
  });
  const exchange: Exchange<FetchedTopicPartition[]> = {
    request,
    requestTimeout: limits.maxWaitMs + REQUEST_TIMEOUT_MS,
    response: { decode: (payload) => decodeAnswer(asked, payload), parse: (decoded) => decoded },
  };
  try {
    return await sendTo(broker, exchange);
  } catch (error) {
    if ((error as Error).name === "KafkaJSConnectionClosedError") await broker.disconnect();
    throw error;
  }
}

/** Reads a Fetch response, version 10 (https://kafka.apache.org/protocol.html#The_Messages_Fetch). */
function decodeAnswer(
  asked: ReadonlyMap<string, ReadonlyMap<number, number>>,
  payload: Buffer,
): FetchedTopicPartition[] {
  let at = 4; // throttle time
  const int32 = (): number => payload.readInt32BE((at += 4) - 4);
  const int64 = (): bigint => payload.readBigInt64BE((at += 8) - 8);
  const int16 = (): number => payload.readInt16BE((at += 2) - 2);
  const code = int16();
  if (code !== 0) throw createErrorFromCode(code);
  at += 4; // session
  const fetched: FetchedTopicPartition[] = [];
  for (let topics = int32(); topics > 0; topics--) {
    const length = int16();
    const topic = payload.toString("utf8", at, (at += length));
    const from = asked.get(topic)!;
    for (let partitions = int32(); partitions > 0; partitions--) {
      const partition = int32();
      const error = int16();
      const highWatermark = Number(int64());
      at += 16; // last stable offset, log start offset
      const aborted: AbortedTransaction[] = [];
      for (let transactions = int32(); transactions > 0; transactions--)
        aborted.push({ producerId: int64(), firstOffset: Number(int64()) });
      const bytes = Math.max(0, int32());
      const fetchOffset = from.get(partition)!;
      if (error !== 0) {
        const problem = new FetchFailed(topic, partition, createErrorFromCode(error));
        fetched.push({ topic, partition, highWatermark, records: [], nextOffset: fetchOffset, problem });
      } else {
        const set = payload.subarray(at, at + bytes);
        const { records, nextOffset, undecodable } = decodeRecordBatches(partition, fetchOffset, set, aborted);
        const problem = undecodable && undecodableAt(topic, partition, nextOffset, undecodable);
        fetched.push({ topic, partition, highWatermark, records, nextOffset, problem });
      }
      at += bytes;
    }
  }
  return fetched;
}

function undecodableAt(topic: string, partition: number, offset: number, cause: Error): MillraceError {
  return new MillraceError(
    "input-undecodable",
    `${topic}/${partition}: the record batch at offset ${offset} can't be decoded: ${cause.message}. ` +
      "Nothing behind it is read; see docs/exactly-once.md#when-a-task-has-stopped",
    { cause },
  );
}

const ONE_PARTITION: FetchLimits = { maxWaitMs: 100, maxBytes: 1_048_576, maxBytesPerPartition: 1_048_576 };

/**
 * Fetches committed records of one partition once. Gives none when there are none yet, or when the next one is behind
 * an open transaction.
 *
 * @throws Error when the topic has no such partition, the broker can't be reached, or the partition has a problem and
 *   nothing before it
 */
export async function fetchRecords(
  cluster: Cluster,
  topic: string,
  partition: number,
  fetchOffset: number,
  isolation: Isolation = ISOLATION.committed,
): Promise<FetchedPartition> {
  return askLeader(cluster, async () => {
    await cluster.refreshMetadataIfNecessary();
    const node = Object.keys(cluster.findLeaderForPartitions(topic, [partition]))[0];
    if (node === undefined) throw new Error(`${topic} has no partition ${partition}`);
    const broker = await cluster.findBroker({ nodeId: node });
    const [fetched] = await fetchFrom(broker, topic, [{ partition, fetchOffset }], ONE_PARTITION, isolation);
    if (fetched?.problem && fetched.records.length === 0) throw fetched.problem;
    // A broker that throttles answers without any partition.
    return fetched ?? { partition, highWatermark: Infinity, records: [], nextOffset: fetchOffset, problem: null };
  });
}
