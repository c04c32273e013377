import { decodeColumns } from "./columns.ts";
import { sampleTimes } from "./imu-message.ts";
import type { Readable, RecordPreview } from "./ops.ts";
import { decodePackedImu } from "./packed-imu.ts";
import { type RecordHeaders, textHeaders, utf8Text } from "./record-headers.ts";
import { contentTypes, headers as headerNames } from "./topics.ts";

/** Characters of a value that a preview has. */
const MAX_VALUE = 4_000;
/** Characters of a key or of a header. */
const MAX_FIELD = 400;
/** Headers of a preview. */
const MAX_HEADERS = 50;

/** A record as the log has it. */
export interface PreviewedRecord {
  readonly partition: number;
  readonly offset: number;
  readonly timestamp: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly size: number;
  readonly recordHeaders: RecordHeaders;
}

/** A record for people: JSON and text as they are, packed readings in short, and anything else in base64. */
export function previewRecord(record: PreviewedRecord): RecordPreview {
  const { partition, offset, timestamp, key, value, size, recordHeaders } = record;
  return {
    partition,
    offset,
    timestamp,
    bytes: size,
    key: key && readable(key),
    headers: recordHeaders
      .slice(0, MAX_HEADERS)
      .map(([name, bytes]) => [cut(name, MAX_FIELD), bytes && readable(bytes)]),
    value: value && previewValue(value, textHeaders(recordHeaders)[headerNames.contentType]),
  };
}

function previewValue(bytes: Uint8Array, contentType: string | undefined): RecordPreview["value"] {
  const packed = summaryOf(bytes, contentType);
  const text = packed === null ? utf8Text(bytes) : null;
  if (packed !== null) return cutValue("packed", packed);
  if (text === null) return cutValue("base64", Buffer.from(bytes).toString("base64"));
  return cutValue(isJson(text) ? "json" : "text", text);
}

/** Packed readings as JSON with their first and last row; null where the bytes do not follow a packed layout. */
function summaryOf(bytes: Uint8Array, contentType: string | undefined): string | null {
  try {
    if (contentType === contentTypes.columnsPacked) {
      const { header, t, values } = decodeColumns(bytes);
      const row = (i: number): object => ({
        t: t[i],
        ...Object.fromEntries(header.columns.map((name, column) => [name, shown(values[column]![i]!)])),
      });
      return JSON.stringify({ ...header, first: row(0), last: row(header.count - 1) });
    }
    if (contentType !== contentTypes.imuPacked) return null;
    const message = decodePackedImu(bytes);
    if ("code" in message) return null;
    const { samples, t: _t, ...rest } = message;
    const times = sampleTimes(message);
    const row = (i: number): object => ({ t: times.at(i), sample: samples.at(i)!.map(shown) });
    return JSON.stringify({ ...rest, count: samples.length, first: row(0), last: row(-1) });
  } catch {
    return null;
  }
}

/** An f32 with the digits that it has. */
function shown(value: number): number {
  return Number(value.toPrecision(7));
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function cutValue(form: NonNullable<RecordPreview["value"]>["form"], text: string): RecordPreview["value"] {
  return { form, text: cut(text, MAX_VALUE), isCut: text.length > MAX_VALUE };
}

function readable(bytes: Uint8Array): Readable {
  const text = utf8Text(bytes);
  return text === null
    ? { form: "base64", text: cut(Buffer.from(bytes).toString("base64"), MAX_FIELD) }
    : { form: "text", text: cut(text, MAX_FIELD) };
}

function cut(text: string, length: number): string {
  return text.slice(0, length);
}
