import { crc32c } from "@node-rs/crc32";
import { textHeaders, type RecordHeaders } from "../domain/record-headers.ts";
import { decompress } from "./kafka-codecs.ts";

// Record batches of format 2, as a fetch returns them: https://kafka.apache.org/documentation/#recordbatch
// kafkajs decodes each record through dozens of small objects and 64-bit integers of its own. At the rates of a
// partition here that would cost more than parsing the readings.

const NO_HEADERS: Readonly<Record<string, string>> = Object.freeze({});
/** Bytes of a batch that its length field does not count: base offset and length. */
const LOG_OVERHEAD = 12;
/** Where the bytes begin that a batch's checksum covers. */
const CHECKED_FROM = 21;
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

/** An aborted transaction in the fetched range, as the broker lists it. */
export interface AbortedTransaction {
  readonly producerId: bigint;
  /** Offset of the transaction's first record. */
  readonly firstOffset: number;
}

/**
 * A record as the log has it, byte for byte. Makes its headers and views of its key and its value when they are asked
 * for: who handles many records reads `memory`.
 */
export class LogRecord {
  readonly partition: number;
  readonly offset: number;
  readonly timestamp: number;
  /** Holds the record, and others. */
  readonly memory: Buffer;
  /** The key is [keyFrom, keyTo) of it; both are -1 where it is null. Likewise the value. */
  readonly keyFrom: number;
  readonly keyTo: number;
  readonly valueFrom: number;
  readonly valueTo: number;
  readonly #headersAt: number;
  readonly #end: number;
  #headers: Readonly<Record<string, string>> | null = null;

  constructor(
    partition: number,
    offset: number,
    timestamp: number,
    memory: Buffer,
    keyFrom: number,
    keyTo: number,
    valueFrom: number,
    valueTo: number,
    headersAt: number,
    end: number,
  ) {
    this.partition = partition;
    this.offset = offset;
    this.timestamp = timestamp;
    this.memory = memory;
    this.keyFrom = keyFrom;
    this.keyTo = keyTo;
    this.valueFrom = valueFrom;
    this.valueTo = valueTo;
    this.#headersAt = headersAt;
    this.#end = end;
  }

  get key(): Buffer | null {
    return this.keyFrom < 0 ? null : this.memory.subarray(this.keyFrom, this.keyTo);
  }

  get value(): Buffer | null {
    return this.valueFrom < 0 ? null : this.memory.subarray(this.valueFrom, this.valueTo);
  }

  /** Bytes of key, value and headers, as the record has them. */
  get size(): number {
    return this.keyTo - this.keyFrom + this.valueTo - this.valueFrom + this.#end - this.#headersAt;
  }

  get headers(): Readonly<Record<string, string>> {
    if (this.memory[this.#headersAt] === 0) return NO_HEADERS;
    return (this.#headers ??= new RecordReader(this.memory, this.#headersAt).headers());
  }

  get recordHeaders(): RecordHeaders {
    return new RecordReader(this.memory, this.#headersAt).recordHeaders();
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

  /** Goes past a field. @returns Where its bytes begin; -1 where it is null. They end at `at`. */
  skip(): number {
    const length = this.varint();
    if (length < 0) return -1;
    const from = this.at;
    this.at += length;
    return from;
  }

  bytes(): Buffer | null {
    const from = this.skip();
    return from < 0 ? null : this.#bytes.subarray(from, this.at);
  }

  text(): string {
    const length = this.varint();
    const from = this.at;
    if (length > 0) this.at += length;
    return this.#bytes.toString("utf8", from, this.at);
  }

  /** As `textHeaders`, which is left to headers that are null or repeated; hardly any are. */
  headers(): Readonly<Record<string, string>> {
    const from = this.at;
    const count = this.varint();
    if (count === 0) return NO_HEADERS;
    const headers: Record<string, string> = {};
    for (let i = 0; i < count; i++) {
      const name = this.text();
      const length = this.varint();
      if (length < 0 || name in headers) {
        this.at = from;
        return textHeaders(this.recordHeaders());
      }
      headers[name] = this.#bytes.toString("utf8", this.at, this.at + length);
      this.at += length;
    }
    return headers;
  }

  recordHeaders(): RecordHeaders {
    return Array.from({ length: this.varint() }, () => [this.text(), this.bytes()] as const);
  }
}

/** What the bytes of a fetch hold. */
export interface DecodedBatches {
  /** Committed records, in offset order. */
  readonly records: LogRecord[];
  /** Offset to fetch next: behind all batches that could be decoded, also those without committed records. */
  readonly nextOffset: number;
  /** Why the batch at `nextOffset` can't be decoded; null when all could be. */
  readonly undecodable: Error | null;
}

/**
 * Decodes the committed records from `fetchOffset` on.
 *
 * @param bytes Whole batches. The answer may have cut off the last one: it is left for the next fetch.
 * @param aborted Transactions whose records are skipped.
 */
export function decodeRecordBatches(
  partition: number,
  fetchOffset: number,
  bytes: Buffer,
  aborted: readonly AbortedTransaction[],
): DecodedBatches {
  const records: LogRecord[] = [];
  const waiting = [...aborted].sort((a, b) => a.firstOffset - b.firstOffset);
  const abortedProducers = new Set<bigint>();
  let nextOffset = fetchOffset;
  let decoded = 0;
  try {
    for (let batch = batchAt(bytes, 0); batch; batch = batchAt(bytes, batch.end)) {
      const { attributes, lastOffset, producerId } = batch;
      while (waiting.length > 0 && waiting[0]!.firstOffset <= lastOffset)
        abortedProducers.add(waiting.shift()!.producerId);
      const isAborted = (attributes & TRANSACTIONAL) !== 0 && abortedProducers.has(producerId);
      if ((attributes & CONTROL) === 0) {
        if (!isAborted) decodeRecords(partition, fetchOffset, bytes, batch, records);
      } else if (controlType(bytes, batch.at) === ABORT_MARKER) abortedProducers.delete(producerId);
      nextOffset = Math.max(nextOffset, lastOffset + 1);
      decoded = records.length;
    }
  } catch (error) {
    records.length = decoded;
    return { records, nextOffset, undecodable: error as Error };
  }
  return { records, nextOffset, undecodable: null };
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

/**
 * The batch that begins at `at`, or null when no whole one is left.
 *
 * @throws Error when it is none, or its bytes are not those that its checksum was made from
 */
function batchAt(bytes: Buffer, at: number): Batch | null {
  if (at + BATCH_HEADER > bytes.length) return null;
  const length = bytes.readInt32BE(at + 8);
  const end = at + LOG_OVERHEAD + length;
  // A broker cuts off no first batch.
  if (length < BATCH_HEADER - LOG_OVERHEAD || (at === 0 && end > bytes.length))
    throw new Error(`a record batch says that it has ${length} bytes; ${bytes.length - at - LOG_OVERHEAD} came`);
  if (end > bytes.length) return null;
  if (bytes[at + 16] !== MAGIC)
    throw new Error(`a record batch of format ${bytes[at + 16]} came; format 2 is expected (Kafka 0.11 and later)`);
  const checksum = bytes.readUInt32BE(at + 17);
  const actual = crc32c(bytes.subarray(at + CHECKED_FROM, end));
  if (actual !== checksum)
    throw new Error(`a record batch has the checksum ${actual.toString(16)}, and says ${checksum.toString(16)}`);
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
  records: LogRecord[],
): void {
  const firstTimestamp = int64(bytes, at + 27);
  const appendTime = (attributes & LOG_APPEND_TIME) !== 0 ? int64(bytes, at + 35) : null;
  const count = bytes.readInt32BE(at + 57);
  const codec = attributes & COMPRESSION;
  const body = codec === 0 ? bytes : decompress(codec, bytes.subarray(at + BATCH_HEADER, end));
  const bodyEnd = codec === 0 ? end : body.length;
  const reader = new RecordReader(body, codec === 0 ? at + BATCH_HEADER : 0);
  for (let i = 0; i < count; i++) {
    const next = reader.varint() + reader.at;
    if (!(next > reader.at && next <= bodyEnd))
      throw new Error(`record ${i} of ${count} of a batch does not end within its ${bodyEnd} bytes`);
    reader.at++; // attributes, unused
    const timestamp = firstTimestamp + reader.varint();
    const offset = baseOffset + reader.varint();
    if (offset >= fetchOffset) {
      const keyFrom = reader.skip();
      const keyTo = keyFrom < 0 ? -1 : reader.at;
      const valueFrom = reader.skip();
      const valueTo = valueFrom < 0 ? -1 : reader.at;
      const time = appendTime ?? timestamp;
      const headersAt = reader.at;
      records.push(new LogRecord(partition, offset, time, body, keyFrom, keyTo, valueFrom, valueTo, headersAt, next));
    }
    reader.at = next;
  }
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
