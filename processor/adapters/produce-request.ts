import { createErrorFromCode, type Exchange } from "../../adapters/kafkajs-internals.ts";

/** Version 7: https://kafka.apache.org/protocol.html#The_Messages_Produce */
const PRODUCE = { apiKey: 0, apiVersion: 7, apiName: "Produce" } as const;
/** Acknowledged by all in-sync replicas. */
const ALL_REPLICAS = -1;
/** How long the broker may wait for them. */
const PRODUCE_TIMEOUT_MS = 30_000;

/** One topic's records, encoded. */
export interface TopicBatch {
  readonly topic: string;
  readonly bytes: Buffer;
}

interface ProduceAnswer {
  /** Read by kafkajs: for how long the client has to wait. */
  readonly clientSideThrottleTime: number;
  /** The errors of kafkajs for topics that were refused. */
  readonly refused: ReadonlyMap<string, Error>;
}

/** A Produce request that appends one record batch to a partition of each topic, inside a transaction. */
export function produceExchange(
  transactionalId: string,
  partition: number,
  batches: readonly TopicBatch[],
): Exchange<ProduceAnswer> {
  const buffer = encodeProduce(transactionalId, partition, batches);
  return {
    request: { ...PRODUCE, encode: () => Promise.resolve({ buf: buffer, buffer }) },
    response: { decode: decodeProduced, parse: (decoded) => decoded },
  };
}

function encodeProduce(transactionalId: string, partition: number, batches: readonly TopicBatch[]): Buffer {
  const head = Buffer.allocUnsafe(2 + Buffer.byteLength(transactionalId) + 10);
  let at = writeText(head, 0, transactionalId);
  at = head.writeInt16BE(ALL_REPLICAS, at);
  at = head.writeInt32BE(PRODUCE_TIMEOUT_MS, at);
  head.writeInt32BE(batches.length, at);
  const parts: Buffer[] = [head];
  for (const { topic, bytes } of batches) {
    const before = Buffer.allocUnsafe(2 + Buffer.byteLength(topic) + 12);
    at = writeText(before, 0, topic);
    at = before.writeInt32BE(1, at); // one partition
    at = before.writeInt32BE(partition, at);
    before.writeInt32BE(bytes.length, at);
    parts.push(before, bytes);
  }
  return Buffer.concat(parts);
}

function writeText(bytes: Buffer, from: number, text: string): number {
  const length = bytes.write(text, from + 2);
  bytes.writeInt16BE(length, from);
  return from + 2 + length;
}

function decodeProduced(payload: Buffer): ProduceAnswer {
  const refused = new Map<string, Error>();
  let at = 4;
  for (let topics = payload.readInt32BE(0); topics > 0; topics--) {
    const topic = payload.toString("utf8", at + 2, at + 2 + payload.readInt16BE(at));
    at += 2 + payload.readInt16BE(at);
    let partitions = payload.readInt32BE(at);
    for (at += 4; partitions > 0; partitions--) {
      const code = payload.readInt16BE(at + 4);
      if (code !== 0) refused.set(topic, createErrorFromCode(code));
      at += 30; // partition, error, base offset, log append time, log start offset
    }
  }
  return { clientSideThrottleTime: payload.readInt32BE(at), refused };
}
