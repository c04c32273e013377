import { gunzipSync, zstdDecompressSync } from "node:zlib";
import type { InputRecord } from "../runtime/machine.ts";

/**
 * Reads record batches of format 2 (https://kafka.apache.org/documentation/#recordbatch) as a fetch returns them.
 * kafkajs decodes each record through dozens of small objects and 64-bit integers of its own; at the rates of a
 * partition here that cost more than parsing the readings.
 */

const NO_HEADERS: Readonly<Record<string, string>> = Object.freeze({});
const LOG_OVERHEAD = 12;
const BATCH_HEADER = 61;
const MAGIC = 2;
const COMPRESSION = 0x07;
const LOG_APPEND_TIME = 0x08;
const TRANSACTIONAL = 0x10;
const CONTROL = 0x20;
const ABORT_MARKER = 0;

export interface AbortedTransaction {
  readonly producerId: bigint;
  readonly firstOffset: number;
}

/** A record; headers are decoded when they are asked for. */
class LogRecord implements InputRecord {
  readonly partition: number;
  readonly offset: number;
  readonly timestamp: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly #bytes: Buffer;
  readonly #headersAt: number;
  #headers: Readonly<Record<string, string>> | null = null;

  constructor(
    partition: number,
    offset: number,
    timestamp: number,
    key: Uint8Array | null,
    value: Uint8Array | null,
    bytes: Buffer,
    headersAt: number,
  ) {
    this.partition = partition;
    this.offset = offset;
    this.timestamp = timestamp;
    this.key = key;
    this.value = value;
    this.#bytes = bytes;
    this.#headersAt = headersAt;
  }

  get headers(): Readonly<Record<string, string>> {
    return (this.#headers ??= new RecordReader(this.#bytes, this.#headersAt).headers());
  }
}

/** Reads the variable-length fields of records. */
class RecordReader {
  readonly #bytes: Buffer;
  at: number;

  constructor(bytes: Buffer, at: number) {
    this.#bytes = bytes;
    this.at = at;
  }

  /** A zigzag varint of at most 53 bits. */
  varint(): number {
    const bytes = this.#bytes;
    let byte = bytes[this.at++]!;
    if (byte < 0x80) return (byte >>> 1) ^ -(byte & 1);
    let value = byte & 0x7f;
    let scale = 0x80;
    do {
      byte = bytes[this.at++]!;
      value += (byte & 0x7f) * scale;
      scale *= 0x80;
    } while (byte >= 0x80);
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  bytes(): Buffer | null {
    const length = this.varint();
    if (length < 0) return null;
    const from = this.at;
    this.at += length;
    return this.#bytes.subarray(from, this.at);
  }

  text(): string {
    const length = this.varint();
    const from = this.at;
    if (length > 0) this.at += length;
    return this.#bytes.toString("utf8", from, this.at);
  }

  /** Header values as UTF-8 text; of a header that is given several times the last counts, as in Kafka's `lastHeader`. */
  headers(): Readonly<Record<string, string>> {
    const count = this.varint();
    if (count === 0) return NO_HEADERS;
    const headers: Record<string, string> = {};
    for (let i = 0; i < count; i++) {
      const name = this.text();
      headers[name] = this.text();
    }
    return headers;
  }
}

/**
 * The committed records from `fetchOffset` on, and the offset to fetch next: behind everything that came, control
 * records and aborted transactions included. A batch that the answer cuts off is left for the next fetch.
 */
export function decodeRecordBatches(
  partition: number,
  fetchOffset: number,
  bytes: Buffer,
  aborted: readonly AbortedTransaction[],
): { records: InputRecord[]; nextOffset: number } {
  const records: InputRecord[] = [];
  const waiting = [...aborted].sort((a, b) => a.firstOffset - b.firstOffset);
  const abortedProducers = new Set<bigint>();
  let nextOffset = fetchOffset;
  for (let at = 0; at + BATCH_HEADER <= bytes.length;) {
    const end = at + LOG_OVERHEAD + bytes.readInt32BE(at + 8);
    if (end > bytes.length) break;
    if (bytes[at + 16] !== MAGIC)
      throw new Error(`a record batch of format ${bytes[at + 16]} came; format 2 is expected (Kafka 0.11 and later)`);
    const baseOffset = int64(bytes, at);
    const attributes = bytes.readInt16BE(at + 21);
    const lastOffset = baseOffset + bytes.readInt32BE(at + 23);
    const producerId = bytes.readBigInt64BE(at + 43);
    while (waiting.length > 0 && waiting[0]!.firstOffset <= lastOffset)
      abortedProducers.add(waiting.shift()!.producerId);
    if ((attributes & CONTROL) !== 0) {
      if (controlType(bytes, at) === ABORT_MARKER) abortedProducers.delete(producerId);
    } else if ((attributes & TRANSACTIONAL) === 0 || !abortedProducers.has(producerId))
      decodeBatch(partition, fetchOffset, bytes, at, end, attributes, records);
    nextOffset = Math.max(nextOffset, lastOffset + 1);
    at = end;
  }
  return { records, nextOffset };
}

function decodeBatch(
  partition: number,
  fetchOffset: number,
  bytes: Buffer,
  at: number,
  end: number,
  attributes: number,
  records: InputRecord[],
): void {
  const baseOffset = int64(bytes, at);
  const firstTimestamp = int64(bytes, at + 27);
  const appendTime = (attributes & LOG_APPEND_TIME) !== 0 ? int64(bytes, at + 35) : null;
  const count = bytes.readInt32BE(at + 57);
  const body = decompress(attributes & COMPRESSION, bytes, at + BATCH_HEADER, end);
  const reader = new RecordReader(body.bytes, body.from);
  for (let i = 0; i < count; i++) {
    const next = reader.varint() + reader.at;
    reader.at++; // attributes, unused
    const timestamp = firstTimestamp + reader.varint();
    const offset = baseOffset + reader.varint();
    if (offset >= fetchOffset) {
      const key = reader.bytes();
      const value = reader.bytes();
      records.push(new LogRecord(partition, offset, appendTime ?? timestamp, key, value, body.bytes, reader.at));
    }
    reader.at = next;
  }
}

function decompress(codec: number, bytes: Buffer, from: number, end: number): { bytes: Buffer; from: number } {
  if (codec === 0) return { bytes, from };
  const packed = bytes.subarray(from, end);
  if (codec === 1) return { bytes: gunzipSync(packed), from: 0 };
  if (codec === 4) return { bytes: zstdDecompressSync(packed), from: 0 };
  throw new Error(
    `a record batch is compressed with ${codec === 2 ? "snappy" : codec === 3 ? "lz4" : `codec ${codec}`}; gzip and zstd can be read: set the producer's compression.type`,
  );
}

/** Type of a control batch's only record: its key is version (int16) and type (int16). */
function controlType(bytes: Buffer, at: number): number {
  const reader = new RecordReader(bytes, at + BATCH_HEADER);
  reader.varint();
  reader.at++;
  reader.varint();
  reader.varint();
  return reader.bytes()?.readInt16BE(2) ?? -1;
}

/** A 64-bit integer below 2^53: offsets and times are. */
function int64(bytes: Buffer, at: number): number {
  return bytes.readInt32BE(at) * 4_294_967_296 + bytes.readUInt32BE(at + 4);
}
