import { gunzipSync, zstdDecompressSync } from "node:zlib";
import type { InputRecord } from "../runtime/machine.ts";

// Record batches of format 2, as a fetch returns them: https://kafka.apache.org/documentation/#recordbatch
// kafkajs decodes each record through dozens of small objects and 64-bit integers of its own. At the rates of a
// partition here that would cost more than parsing the readings.

const NO_HEADERS: Readonly<Record<string, string>> = Object.freeze({});
/** Bytes of a batch that its length field does not count: base offset and length. */
const LOG_OVERHEAD = 12;
/** Bytes of a batch before its records. */
const BATCH_HEADER = 61;
/** Version of the format. */
const MAGIC = 2;
// Bits of the attributes.
const COMPRESSION = 0x07;
const LOG_APPEND_TIME = 0x08;
const TRANSACTIONAL = 0x10;
const CONTROL = 0x20;
/** Type of a control record. */
const ABORT_MARKER = 0;
/** Names of the compression codecs that can't be read. */
const UNREADABLE_CODECS: Readonly<Record<number, string>> = { 2: "snappy", 3: "lz4" };

/** An aborted transaction in the fetched range, as the broker lists it. */
export interface AbortedTransaction {
  readonly producerId: bigint;
  /** Offset of the transaction's first record. */
  readonly firstOffset: number;
}

/** A record. Decodes its headers when they are asked for. */
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

  /** Header values as UTF-8 text. Of several headers of one name the last counts, as in Kafka's `lastHeader`. */
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
 * Decodes the committed records from `fetchOffset` on.
 *
 * @param bytes Whole batches. The answer may have cut off the last one: it is left for the next fetch.
 * @param aborted Transactions whose records are skipped.
 * @returns The records, and the offset to fetch next: behind all whole batches, also those without committed records.
 * @throws Error for a format or a compression codec that can't be read
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
  for (let batch = batchAt(bytes, 0); batch; batch = batchAt(bytes, batch.end)) {
    const { attributes, lastOffset, producerId } = batch;
    while (waiting.length > 0 && waiting[0]!.firstOffset <= lastOffset)
      abortedProducers.add(waiting.shift()!.producerId);
    const isAborted = (attributes & TRANSACTIONAL) !== 0 && abortedProducers.has(producerId);
    if ((attributes & CONTROL) === 0) {
      if (!isAborted) decodeRecords(partition, fetchOffset, bytes, batch, records);
    } else if (controlType(bytes, batch.at) === ABORT_MARKER) abortedProducers.delete(producerId);
    nextOffset = Math.max(nextOffset, lastOffset + 1);
  }
  return { records, nextOffset };
}

/** Where a batch is, and what its header says. */
interface Batch {
  readonly at: number;
  readonly end: number;
  readonly baseOffset: number;
  readonly lastOffset: number;
  readonly attributes: number;
  readonly producerId: bigint;
}

/** The batch that begins at `at`, or null when no whole one is left. */
function batchAt(bytes: Buffer, at: number): Batch | null {
  if (at + BATCH_HEADER > bytes.length) return null;
  const end = at + LOG_OVERHEAD + bytes.readInt32BE(at + 8);
  if (end > bytes.length) return null;
  if (bytes[at + 16] !== MAGIC)
    throw new Error(`a record batch of format ${bytes[at + 16]} came; format 2 is expected (Kafka 0.11 and later)`);
  const baseOffset = int64(bytes, at);
  return {
    at,
    end,
    baseOffset,
    lastOffset: baseOffset + bytes.readInt32BE(at + 23),
    attributes: bytes.readInt16BE(at + 21),
    producerId: bytes.readBigInt64BE(at + 43),
  };
}

/** Appends the records of a batch from `fetchOffset` on to `records`. */
function decodeRecords(
  partition: number,
  fetchOffset: number,
  bytes: Buffer,
  { at, end, baseOffset, attributes }: Batch,
  records: InputRecord[],
): void {
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
  const name = UNREADABLE_CODECS[codec] ?? `codec ${codec}`;
  throw new Error(
    `a record batch is compressed with ${name}; gzip and zstd can be read: set the producer's compression.type`,
  );
}

/** Type of the only record of a control batch. Its key is version (int16) and type (int16). */
function controlType(bytes: Buffer, at: number): number {
  const reader = new RecordReader(bytes, at + BATCH_HEADER);
  reader.varint();
  reader.at++;
  reader.varint();
  reader.varint();
  return reader.bytes()?.readInt16BE(2) ?? -1;
}

/** A 64-bit integer below 2^53, as offsets and times are. */
function int64(bytes: Buffer, at: number): number {
  return bytes.readInt32BE(at) * 4_294_967_296 + bytes.readUInt32BE(at + 4);
}
