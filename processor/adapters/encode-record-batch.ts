import { crc32c } from "@node-rs/crc32";
import type { OutputRecord } from "../runtime/machine.ts";

/**
 * Bytes of a record batch before its records, and where its fields are
 * (https://kafka.apache.org/documentation/#recordbatch).
 */
const BATCH_HEADER = 61;
const LOG_OVERHEAD = 12;
const CHECKED_FROM = 21;
const MAGIC = 2;
const TRANSACTIONAL = 0x10;

export interface BatchOrigin {
  readonly producerId: bigint;
  readonly producerEpoch: number;
  readonly firstSequence: number;
  /** Time of all records. */
  readonly timestamp: number;
}

/** Records as one uncompressed transactional record batch. */
export function encodeRecordBatch(records: readonly OutputRecord[], origin: BatchOrigin): Buffer {
  const sizes = records.map((record, i) => bodySize(record, i));
  let length = BATCH_HEADER;
  for (const size of sizes) length += varintSize(size) + size;
  const bytes = Buffer.allocUnsafe(length);
  bytes.writeBigInt64BE(0n, 0); // offsets are the broker's
  bytes.writeInt32BE(length - LOG_OVERHEAD, 8);
  bytes.writeInt32BE(-1, 12); // leader epoch
  bytes.writeInt8(MAGIC, 16);
  bytes.writeInt16BE(TRANSACTIONAL, 21);
  bytes.writeInt32BE(records.length - 1, 23);
  bytes.writeBigInt64BE(BigInt(origin.timestamp), 27);
  bytes.writeBigInt64BE(BigInt(origin.timestamp), 35);
  bytes.writeBigInt64BE(origin.producerId, 43);
  bytes.writeInt16BE(origin.producerEpoch, 51);
  bytes.writeInt32BE(origin.firstSequence, 53);
  bytes.writeInt32BE(records.length, 57);
  let at = BATCH_HEADER;
  for (let i = 0; i < records.length; i++) at = writeRecord(bytes, writeVarint(bytes, at, sizes[i]!), records[i]!, i);
  bytes.writeUInt32BE(crc32c(bytes.subarray(CHECKED_FROM)), 17);
  return bytes;
}

function bodySize({ key, value, headers }: OutputRecord, offsetDelta: number): number {
  let size = 2 + varintSize(offsetDelta) + fieldSize(key) + fieldSize(value);
  let count = 0;
  for (const name in headers) {
    size += fieldSize(name) + fieldSize(headers[name]!);
    count++;
  }
  return size + varintSize(count);
}

function writeRecord(bytes: Buffer, from: number, { key, value, headers }: OutputRecord, offsetDelta: number): number {
  let at = from;
  bytes[at++] = 0; // attributes
  bytes[at++] = 0; // timestamp delta
  at = writeVarint(bytes, at, offsetDelta);
  at = writeField(bytes, at, key);
  at = writeField(bytes, at, value);
  let count = 0;
  for (const _ in headers) count++;
  at = writeVarint(bytes, at, count);
  for (const name in headers) at = writeField(bytes, writeField(bytes, at, name), headers[name]!);
  return at;
}

function fieldSize(field: Uint8Array | string | null): number {
  if (field === null) return 1;
  const length = typeof field === "string" ? Buffer.byteLength(field) : field.length;
  return varintSize(length) + length;
}

function writeField(bytes: Buffer, at: number, field: Uint8Array | string | null): number {
  if (field === null) return writeVarint(bytes, at, -1);
  if (typeof field !== "string") {
    const from = writeVarint(bytes, at, field.length);
    bytes.set(field, from);
    return from + field.length;
  }
  const from = writeVarint(bytes, at, Buffer.byteLength(field));
  return from + bytes.write(field, from);
}

/** Bytes of a zigzag varint of a length or a small delta (32 bits). */
function varintSize(value: number): number {
  const zigzag = ((value << 1) ^ (value >> 31)) >>> 0;
  return zigzag < 0x80 ? 1 : zigzag < 0x4000 ? 2 : zigzag < 0x20_0000 ? 3 : zigzag < 0x1000_0000 ? 4 : 5;
}

function writeVarint(bytes: Buffer, from: number, value: number): number {
  let at = from;
  let rest = ((value << 1) ^ (value >> 31)) >>> 0;
  while (rest >= 0x80) {
    bytes[at++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  bytes[at++] = rest;
  return at;
}
