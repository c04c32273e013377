import { createRequire } from "node:module";
import type { Broker, Cluster } from "kafkajs";
import type { InputRecord } from "../runtime/machine.ts";
import { askLeader } from "./kafka-cluster.ts";
import { decodeRecordBatches, type AbortedTransaction } from "./record-batches.ts";

/** A position to fetch from. */
export interface FetchPosition {
  readonly partition: number;
  readonly fetchOffset: number;
}

/** What a broker has for one partition. */
export interface FetchedPartition {
  readonly partition: number;
  /** Offset that the next record will get, committed or not. */
  readonly highWatermark: number;
  readonly records: InputRecord[];
  /** Offset to fetch next. */
  readonly nextOffset: number;
}

/** A partition's error, with kafkajs' type, say `OFFSET_OUT_OF_RANGE`. */
export class FetchFailed extends Error {
  readonly type: string;
  readonly partition: number;
  constructor(topic: string, partition: number, cause: Error & { readonly type?: string }) {
    super(`fetching ${topic}/${partition} failed: ${cause.message}`, { cause });
    this.name = "FetchFailed";
    this.type = cause.type ?? "UNKNOWN";
    this.partition = partition;
  }
}

interface RequestOptions {
  readonly replicaId: number;
  readonly maxWaitTime: number;
  readonly minBytes: number;
  readonly maxBytes: number;
  readonly isolationLevel: number;
  readonly topics: readonly {
    readonly topic: string;
    readonly partitions: readonly {
      readonly partition: number;
      readonly fetchOffset: string;
      readonly maxBytes: number;
    }[];
  }[];
}
interface Exchange<T> {
  readonly request: object;
  readonly requestTimeout: number;
  readonly response: { decode(payload: Buffer): T; parse(decoded: T): T };
}
/** The part of kafkajs' broker behind its public methods: one request, one answer, on a connection of the broker. */
interface BrokerInternals extends Broker {
  readonly connectionPool: { send<T>(exchange: Exchange<T>): Promise<T> };
}

const load = createRequire(import.meta.url);
/**
 * From version 11 on, a broker that leads no more answers as a follower, however far behind it is: its readers would
 * not notice.
 */
const fetchRequest = load("kafkajs/src/protocol/requests/fetch/v10/request.js") as (options: RequestOptions) => object;
const { createErrorFromCode } = load("kafkajs/src/protocol/error.js") as {
  readonly createErrorFromCode: (code: number) => Error & { readonly type?: string };
};

const READ_COMMITTED = 1;
const REQUEST_TIMEOUT_MS = 30_000;

/**
 * One fetch of committed records from a broker. The request and the connection are kafkajs'; the answer is decoded by
 * `record-batches.ts`. Positions that other brokers lead come back as `FetchFailed`.
 */
export async function fetchFrom(
  broker: Broker,
  topic: string,
  positions: readonly FetchPosition[],
  limits: { readonly maxWaitMs: number; readonly maxBytes: number; readonly maxBytesPerPartition: number },
): Promise<FetchedPartition[]> {
  const from = new Map(positions.map(({ partition, fetchOffset }) => [partition, fetchOffset]));
  const request = fetchRequest({
    replicaId: -1,
    maxWaitTime: limits.maxWaitMs,
    minBytes: 1,
    maxBytes: limits.maxBytes,
    isolationLevel: READ_COMMITTED,
    topics: [
      {
        topic,
        partitions: positions.map(({ partition, fetchOffset }) => ({
          partition,
          fetchOffset: String(fetchOffset),
          maxBytes: limits.maxBytesPerPartition,
        })),
      },
    ],
  });
  const exchange: Exchange<FetchedPartition[]> = {
    request,
    requestTimeout: limits.maxWaitMs + REQUEST_TIMEOUT_MS,
    response: { decode: (payload) => decodeAnswer(topic, from, payload), parse: (decoded) => decoded },
  };
  try {
    return await (broker as BrokerInternals).connectionPool.send(exchange);
  } catch (error) {
    if ((error as Error).name === "KafkaJSConnectionClosedError") await broker.disconnect();
    throw error;
  }
}

/** Fetch response, version 10. @throws FetchFailed */
function decodeAnswer(topic: string, from: ReadonlyMap<number, number>, payload: Buffer): FetchedPartition[] {
  let at = 4; // throttle time
  const int32 = (): number => payload.readInt32BE((at += 4) - 4);
  const int64 = (): bigint => payload.readBigInt64BE((at += 8) - 8);
  const int16 = (): number => payload.readInt16BE((at += 2) - 2);
  const code = int16();
  if (code !== 0) throw createErrorFromCode(code);
  at += 4; // session
  const fetched: FetchedPartition[] = [];
  for (let topics = int32(); topics > 0; topics--) {
    const name = int16(); // only one topic was asked for
    at += name;
    for (let partitions = int32(); partitions > 0; partitions--) {
      const partition = int32();
      const error = int16();
      const highWatermark = Number(int64());
      at += 16; // last stable offset, log start offset
      const aborted: AbortedTransaction[] = [];
      for (let transactions = int32(); transactions > 0; transactions--)
        aborted.push({ producerId: int64(), firstOffset: Number(int64()) });
      const bytes = Math.max(0, int32());
      if (error !== 0) throw new FetchFailed(topic, partition, createErrorFromCode(error));
      fetched.push({
        partition,
        highWatermark,
        ...decodeRecordBatches(partition, from.get(partition)!, payload.subarray(at, at + bytes), aborted),
      });
      at += bytes;
    }
  }
  return fetched;
}

const FETCH_BYTES = 1_048_576;
const FETCH_WAIT_MS = 100;

/**
 * One fetch of committed records of one partition. Open transactions hold it up: then it gives none.
 *
 * @throws When the topic has no such partition, or the broker can't be reached.
 */
export async function fetchRecords(
  cluster: Cluster,
  topic: string,
  partition: number,
  fetchOffset: number,
): Promise<FetchedPartition> {
  return askLeader(cluster, async () => {
    await cluster.refreshMetadataIfNecessary();
    const node = Object.keys(cluster.findLeaderForPartitions(topic, [partition]))[0];
    if (node === undefined) throw new Error(`${topic} has no partition ${partition}`);
    const broker = await cluster.findBroker({ nodeId: node });
    const [fetched] = await fetchFrom(broker, topic, [{ partition, fetchOffset }], {
      maxWaitMs: FETCH_WAIT_MS,
      maxBytes: FETCH_BYTES,
      maxBytesPerPartition: FETCH_BYTES,
    });
    return fetched ?? { partition, highWatermark: Infinity, records: [], nextOffset: fetchOffset }; // a broker that throttles answers with nothing
  });
}
