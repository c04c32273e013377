import { crc32c } from "@node-rs/crc32";
import { JsonOutput, valueLength } from "../runtime/json-output.ts";
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

const NO_BYTES = Buffer.alloc(0);
/** Characters of a text, such as a key, for which a loop is faster than a call of native code. */
const SHORT = 64;

/** The producer of a batch, as the broker checks it. */
export interface BatchOrigin {
  readonly producerId: bigint;
  readonly producerEpoch: number;
  /** Sequence number of the first record in its partition. */
  readonly firstSequence: number;
  /** Time of all records, epoch milliseconds. */
  readonly timestamp: number;
}

type Headers = OutputRecord["headers"];

/** Encodes records as one uncompressed transactional record batch. There must be at least one. */
export function encodeRecordBatch(records: readonly OutputRecord[], origin: BatchOrigin): Buffer {
  // Neighbours often share their headers: those are then encoded once.
  let headers: Headers | null = null;
  let encoded: Buffer = NO_BYTES;
  const encodedHeaders: Buffer[] = [];
  const sizes = new Int32Array(records.length);
  let length = BATCH_HEADER;
  for (let i = 0; i < records.length; i++) {
    const record = records[i]!;
    if (record.headers !== headers) encodedHeaders.push((encoded = encodeHeaders((headers = record.headers))));
    const size = 2 + varintSize(i) + fieldSize(record.key) + valueSize(record) + encoded.length;
    sizes[i] = size;
    length += varintSize(size) + size;
  }
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
  let next = 0;
  headers = null;
  for (let i = 0; i < records.length; i++) {
    const record = records[i]!;
    if (record.headers !== headers) {
      headers = record.headers;
      encoded = encodedHeaders[next++]!;
    }
    at = writeVarint(bytes, at, sizes[i]!);
    bytes[at++] = 0; // attributes
    bytes[at++] = 0; // timestamp delta
    at = writeVarint(bytes, at, i);
    at = writeField(bytes, at, record.key);
    at = writeValue(bytes, at, record);
    for (let j = 0; j < encoded.length; j++) bytes[at + j] = encoded[j]!;
    at += encoded.length;
  }
  bytes.writeUInt32BE(crc32c(bytes.subarray(CHECKED_FROM)), 17);
  return bytes;
}

/** The headers of a record with their count. */
function encodeHeaders(headers: Headers): Buffer {
  let size = 0;
  let count = 0;
  for (const name in headers) {
    size += fieldSize(name) + fieldSize(headers[name]!);
    count++;
  }
  const bytes = Buffer.allocUnsafe(varintSize(count) + size);
  let at = writeVarint(bytes, 0, count);
  for (const name in headers) at = writeField(bytes, writeField(bytes, at, name), headers[name]!);
  return bytes;
}

function fieldSize(field: Uint8Array | string | null): number {
  if (field === null) return 1;
  const length = typeof field === "string" ? utf8Length(field) : field.length;
  return varintSize(length) + length;
}

function valueSize(record: OutputRecord): number {
  const length = valueLength(record);
  return length === 0 && record.value === null ? 1 : varintSize(length) + length;
}

function writeValue(bytes: Buffer, at: number, record: OutputRecord): number {
  if (!(record instanceof JsonOutput)) return writeField(bytes, at, record.value);
  const { memory, from, to } = record;
  const start = writeVarint(bytes, at, to - from);
  return start + memory.copy(bytes, start, from, to);
}

function writeField(bytes: Buffer, at: number, field: Uint8Array | string | null): number {
  if (field === null) return writeVarint(bytes, at, -1);
  if (typeof field !== "string") {
    const from = writeVarint(bytes, at, field.length);
    bytes.set(field, from);
    return from + field.length;
  }
  const from = writeVarint(bytes, at, utf8Length(field));
  if (field.length > SHORT) return from + bytes.write(field, from);
  for (let i = 0; i < field.length; i++) {
    const unit = field.charCodeAt(i);
    if (unit > 0x7f) return from + bytes.write(field, from);
    bytes[from + i] = unit;
  }
  return from + field.length;
}

function utf8Length(text: string): number {
  if (text.length > SHORT) return Buffer.byteLength(text);
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return Buffer.byteLength(text);
  return text.length;
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
