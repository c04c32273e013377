import { crc32c } from "@node-rs/crc32";
import type { OutputRecord } from "../runtime/machine.ts";

// Record batches of format 2: https://kafka.apache.org/documentation/#recordbatch

/** Bytes of a batch before its records. */
const BATCH_HEADER = 61;
/** Bytes of a batch that its length field does not count: base offset and length. */
const LOG_OVERHEAD = 12;
/** The checksum covers everything from here on. */
const CHECKED_FROM = 21;
/** Version of the format. */
const MAGIC = 2;
/** Bit of the attributes. */
const TRANSACTIONAL = 0x10;

/** The producer of a batch, as the broker checks it. */
export interface BatchOrigin {
  readonly producerId: bigint;
  readonly producerEpoch: number;
  /** Sequence number of the first record in its partition. */
  readonly firstSequence: number;
  /** Time of all records, epoch milliseconds. */
  readonly timestamp: number;
}

/** Encodes records as one uncompressed transactional record batch. There must be at least one. */
export function encodeRecordBatch(records: readonly OutputRecord[], origin: BatchOrigin): Buffer {
  const sizes = records.map((record, i) => bodySize(record, i));
  let length = BATCH_HEADER;
  for (const size of sizes) length += varintSize(size) + size;
  const bytes = Buffer.allocUnsafe(length);
  bytes.writeBigInt64BE(0n, 0); // the broker sets the offsets
  bytes.writeInt32BE(length - LOG_OVERHEAD, 8);
  bytes.writeInt32BE(-1, 12); // leader epoch: the broker sets it
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

/** Bytes that a 32-bit number takes as a zigzag varint. */
function varintSize(value: number): number {
  const zigzag = ((value << 1) ^ (value >> 31)) >>> 0;
  if (zigzag < 0x80) return 1;
  if (zigzag < 0x4000) return 2;
  if (zigzag < 0x20_0000) return 3;
  return zigzag < 0x1000_0000 ? 4 : 5;
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
