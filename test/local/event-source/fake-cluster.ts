import type { Cluster } from "kafkajs";
import { encodeRecordBatch } from "../../../processor/adapters/encode-record-batch.ts";

/** A partition's log: batches in offset order, and where it starts. */
export interface FakeLog {
  readonly start: number;
  readonly batches: Buffer[];
}

const OFFSET_OUT_OF_RANGE = 1;

/** A record batch that begins at `baseOffset`. */
export function batchAt(baseOffset: number, values: readonly string[]): Buffer {
  const records = values.map((value) => ({ topic: "t", key: null, value: Buffer.from(value), headers: {} }));
  const origin = { producerId: 1n, producerEpoch: 0, firstSequence: 0, timestamp: 1_000 };
  const bytes = encodeRecordBatch(records as never, origin);
  bytes.writeBigInt64BE(BigInt(baseOffset), 0); // the checksum does not cover it
  return bytes;
}

const endOf = ({ start, batches }: FakeLog): number =>
  batches.reduce((_, bytes) => Number(bytes.readBigInt64BE(0)) + bytes.readInt32BE(23) + 1, start);

/**
 * A cluster with one broker, which answers fetches of version 10 with one batch of a partition at most, in Kafka's own
 * bytes (https://kafka.apache.org/protocol.html#The_Messages_Fetch).
 */
export class FakeCluster {
  readonly logs: Map<number, FakeLog>;
  readonly committed = new Map<number, number>();
  /** Longest wait that each fetch allowed. */
  readonly maxWaits: number[] = [];

  constructor(logs: readonly FakeLog[], committed: readonly (readonly [number, number])[] = []) {
    this.logs = new Map(logs.map((log, partition) => [partition, log]));
    for (const [partition, offset] of committed) this.committed.set(partition, offset);
  }

  get cluster(): Cluster {
    const partitions = [...this.logs.keys()];
    const coordinator = {
      offsetFetch: async ({ topics }: { topics: { topic: string; partitions: { partition: number }[] }[] }) => ({
        responses: topics.map(({ topic, partitions: asked }) => ({
          topic,
          partitions: asked.map(({ partition }) => ({
            partition,
            offset: String(this.committed.get(partition) ?? -1),
          })),
        })),
      }),
      offsetCommit: async (request: { topics: { partitions: { partition: number; offset: string }[] }[] }) => {
        for (const { partition, offset } of request.topics[0]!.partitions)
          this.committed.set(partition, Number(offset));
      },
    };
    const broker = {
      connectionPool: {
        send: async (exchange: {
          request: { encode(): Promise<{ buffer: Buffer }> };
          response: { decode(bytes: Buffer): unknown };
        }) => exchange.response.decode(this.#answer((await exchange.request.encode()).buffer)),
      },
    };
    return {
      connect: async () => undefined,
      addTargetTopic: async () => undefined,
      refreshMetadata: async () => undefined,
      refreshMetadataIfNecessary: async () => undefined,
      findTopicPartitionMetadata: () => partitions.map((partitionId) => ({ partitionId })),
      findLeaderForPartitions: (_: string, asked: number[]) => ({ 1: asked }),
      findBroker: async () => broker,
      findGroupCoordinator: async () => coordinator,
      fetchTopicsOffset: async (
        asked: { topic: string; partitions: { partition: number }[]; fromBeginning: boolean }[],
      ) =>
        asked.map(({ topic, partitions: of, fromBeginning }) => ({
          topic,
          partitions: of.map(({ partition }) => {
            const log = this.logs.get(partition)!;
            return { partition, offset: String(fromBeginning ? log.start : endOf(log)) };
          }),
        })),
    } as unknown as Cluster;
  }

  #answer(request: Buffer): Buffer {
    this.maxWaits.push(request.readInt32BE(4));
    let at = 29; // replica, wait, bytes, isolation, session; one topic
    const nameLength = request.readInt16BE(at);
    const name = request.subarray(at, (at += 2 + nameLength));
    const answers: Buffer[] = [];
    const count = request.readInt32BE(at);
    at += 4;
    for (let i = 0; i < count; i++, at += 28)
      answers.push(this.#partition(request.readInt32BE(at), Number(request.readBigInt64BE(at + 8))));
    const head = Buffer.alloc(14);
    head.writeInt32BE(1, 10);
    return Buffer.concat([head, name, int32(count), ...answers]);
  }

  #partition(partition: number, offset: number): Buffer {
    const log = this.logs.get(partition)!;
    const end = endOf(log);
    const head = Buffer.alloc(34);
    head.writeInt32BE(partition, 0);
    head.writeInt16BE(offset < log.start || offset > end ? OFFSET_OUT_OF_RANGE : 0, 4);
    head.writeBigInt64BE(BigInt(end), 6);
    head.writeInt32BE(-1, 30); // aborted transactions
    const found = log.batches.find((bytes) => Number(bytes.readBigInt64BE(0)) + bytes.readInt32BE(23) >= offset);
    const bytes = offset < log.start || found === undefined ? Buffer.alloc(0) : found;
    return Buffer.concat([head, int32(bytes.length), bytes]);
  }
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}
