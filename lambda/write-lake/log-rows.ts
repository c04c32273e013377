import { jsonBytes } from "../../adapters/json-length.ts";
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
/** Characters of base64 that stay together; a multiple of four, so that each piece is base64, too. */
const PIECE_CHARS = 128 * 1_024;
/** Characters of a header's name that stay together: JSON may need twelve bytes for one. */
const NAME_CHARS = 16_384;
const NAME_PIECES = /.{1,16384}/gsu;
/** Bytes of a header in a row besides its name and value, at most. */
const ENTRY_BYTES = 40;

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
  const parts = toParts(record, recordHeaders);
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
  const { headers } = record;
  const text = (name: string): string | null => copies.take(headers[name] ?? null);
  const number = (name: string): number | null => {
    const value = headers[name];
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
function toParts({ keyBase64, valueBase64 }: KafkaRecord, headers: RecordHeaders): Part[] {
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
  const append = (column: "key" | "value", base64: string | null): void => {
    for (const text of base64Pieces(base64)) {
      const into = partFor(text.length);
      into[column] = (into[column] ?? "") + text;
    }
  };
  append("key", keyBase64);
  for (const header of headers)
    for (const entry of headerEntries(header)) partFor(entryBytes(entry)).headers.push(entry);
  append("value", valueBase64);
  return parts;
}

/** Base64 in pieces that can be joined; none for null. */
function base64Pieces(base64: string | null): string[] {
  if (base64 === null) return [];
  if (base64.length <= PIECE_CHARS) return [base64];
  const pieces: string[] = [];
  for (let from = 0; from < base64.length; from += PIECE_CHARS) pieces.push(base64.slice(from, from + PIECE_CHARS));
  return pieces;
}

function headerEntries([name, value]: RecordHeaders[number]): HeaderEntry[] {
  const names = name.length <= NAME_CHARS ? [name] : name.match(NAME_PIECES)!;
  const values = base64Pieces(
    value === null ? null : Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("base64"),
  );
  const count = Math.max(names.length, values.length);
  return Array.from({ length: count }, (_, i) => ({
    name: names[i] ?? "",
    value: value === null ? null : (values[i] ?? ""),
    more: i + 1 < count,
  }));
}

/** Bytes of a header in a row's JSON, at most. */
function entryBytes({ name, value }: HeaderEntry): number {
  return ENTRY_BYTES + jsonBytes(name) + (value?.length ?? 0);
}

/** Readable copies of what a record holds, as many as fit. */
class Copies {
  #left = COPY_BYTES;

  take(text: string | null): string | null {
    if (text === null) return null;
    const bytes = jsonBytes(text) + 2;
    if (bytes > this.#left) return null;
    this.#left -= bytes;
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
