import { deliveryLimits } from "../../domain/delivery-processors.ts";
import { logName } from "../../domain/names.ts";
import { utf8Text, type RecordHeaders } from "../../domain/record-headers.ts";
import { headers as headerNames } from "../../domain/topics.ts";
import type { KafkaRecord } from "../shared/kafka-event.ts";
import { partition, type Reach } from "./partition.ts";
import type { Row } from "./rows.ts";

/** Bytes of a row, at most: those of a record of Firehose. */
export const MAX_ROW_BYTES = deliveryLimits.recordBytes;
/** Bytes of a record's key, headers and value in one row, at most, as they stand there. */
const CONTENT_BYTES = 900 * 1_024;
/** Bytes of the readable copies in a row, at most: what does not fit is left out of them. */
const COPY_BYTES = 32 * 1_024;
/** Bytes that are encoded together; a multiple of three, so that their texts of base64 can be joined. */
const PIECE_BYTES = 96 * 1_024;
/** Pieces of a header's name, of which JSON may need twelve bytes for a character. */
const NAME_PIECES = /.{1,16384}/gsu;

/** A header in a row. With `more`, the next entry continues its name and value. */
interface HeaderEntry {
  readonly name: string;
  readonly value: string | null;
  readonly more: boolean;
}

/** What one row holds of a record; key and value in base64. */
interface Part {
  key: string | null;
  readonly headers: HeaderEntry[];
  value: string | null;
}

/**
 * The record as it is in the log, in as many rows as it needs, all in the partition of its timestamp.
 *
 * @param generation Of the log in the topic: its records must not have the ids of a log that was lost.
 */
export function logRows(record: KafkaRecord, reach: Reach, generation = 1): Row[] {
  const { topic, partition: number, offset, timestamp, keyBytes, recordHeaders } = record;
  const id = `${logName(topic, generation)}/${number}/${offset}`;
  const copies = new Copies();
  const keyText = copies.take(keyBytes === null ? null : utf8Text(keyBytes));
  const headersText = copies.takeHeaders(recordHeaders);
  const parts = toParts(record);
  return parts.map((content, part) => ({
    ...partition(timestamp, reach),
    id: part === 0 ? id : `${id}/${part}`,
    topic,
    partition: number,
    offset,
    timestamp,
    part,
    parts: parts.length,
    ...content,
    key_text: keyText,
    headers_text: headersText,
  }));
}

/** A dead letter as it is in the log, with what it says of its reason and its source. */
export function deadLetterRows(record: KafkaRecord, reach: Reach): Row[] {
  const copies = new Copies();
  const text = (name: string): string | null => copies.take(record.headers[name] ?? null);
  const number = (name: string): number | null => {
    const value = record.headers[name];
    return value !== undefined && /^\d{1,15}$/.test(value) ? Number(value) : null;
  };
  const about = {
    error_code: text(headerNames.errorCode),
    error_message: text(headerNames.errorMessage),
    stage: text(headerNames.stage),
    source_topic: text(headerNames.sourceTopic),
    source_partition: number(headerNames.sourcePartition),
    source_offset: number(headerNames.sourceOffset),
  };
  return logRows(record, reach).map((row) => ({ ...row, ...about }));
}

/** Cuts a record into what fits a row: its key, then its headers, then its value. */
function toParts({ keyBytes, recordHeaders, value }: KafkaRecord): Part[] {
  let part: Part = { key: null, headers: [], value: null };
  const parts = [part];
  let left = CONTENT_BYTES;
  const partFor = (bytes: number): Part => {
    if (bytes > left) {
      parts.push((part = { key: null, headers: [], value: null }));
      left = CONTENT_BYTES;
    }
    left -= bytes;
    return part;
  };
  const append = (column: "key" | "value", bytes: Uint8Array | null): void => {
    for (const text of base64Pieces(bytes)) {
      const into = partFor(text.length);
      into[column] = (into[column] ?? "") + text;
    }
  };
  append("key", keyBytes);
  for (const header of recordHeaders)
    for (const entry of headerEntries(header)) partFor(jsonBytes(entry) + 1).headers.push(entry);
  append("value", value);
  return parts;
}

/** Base64 of bytes, in pieces that can be joined; none for null. */
function base64Pieces(bytes: Uint8Array | null): string[] {
  if (bytes === null) return [];
  const pieces: string[] = [];
  for (let from = 0; from === 0 || from < bytes.length; from += PIECE_BYTES)
    pieces.push(Buffer.from(bytes.subarray(from, from + PIECE_BYTES)).toString("base64"));
  return pieces;
}

function headerEntries([name, value]: RecordHeaders[number]): HeaderEntry[] {
  const names = name.match(NAME_PIECES) ?? [""];
  const values = base64Pieces(value);
  const count = Math.max(names.length, values.length);
  return Array.from({ length: count }, (_, i) => ({
    name: names[i] ?? "",
    value: value === null ? null : (values[i] ?? ""),
    more: i + 1 < count,
  }));
}

function jsonBytes(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value));
}

/** Readable copies of what a record holds, as many as fit. */
class Copies {
  #left = COPY_BYTES;

  take(text: string | null): string | null {
    if (text === null || jsonBytes(text) + 2 > this.#left) return null;
    this.#left -= jsonBytes(text) + 2;
    return text;
  }

  /** Takes the last header of each name, unless its bytes are no UTF-8. */
  takeHeaders(headers: RecordHeaders): Record<string, string> {
    const texts = new Map(headers.map(([name, value]) => [name, value === null ? null : utf8Text(value)]));
    const taken: [string, string][] = [];
    for (const [name, text] of texts)
      if (text !== null && this.take(name) !== null && this.take(text) !== null) taken.push([name, text]);
    return Object.fromEntries(taken);
  }
}
