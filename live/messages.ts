import { MAX_FRAME_BYTES, MAX_MESSAGE_BYTES } from "../domain/api.ts";
import { decodeColumns } from "../domain/columns.ts";
import type { InferenceRecord, SessionRecord, WindowRecord } from "../domain/records.ts";
import type { TableName } from "../domain/tables.ts";
import type { EpochMs } from "../domain/time.ts";
import { contentTypes, topics } from "../domain/topics.ts";
import { shortDecimal } from "./numbers.ts";

/** A transformed message as columns, each as long as `t`. */
export interface Samples {
  readonly id: string;
  readonly sensorId: string;
  readonly seq: number;
  readonly boot?: string;
  /** Epoch ms, not decreasing. */
  readonly t: ArrayLike<EpochMs>;
  readonly columns: Readonly<Record<string, ArrayLike<number>>>;
}

/** A record of a topic that live reads. */
export type LiveRecord =
  | { readonly type: "samples"; readonly data: Samples }
  | { readonly type: "window"; readonly data: WindowRecord }
  | { readonly type: "session"; readonly data: SessionRecord }
  | { readonly type: "inference"; readonly data: InferenceRecord };

/** A record that is sent as one message. */
export type WholeRecord = Exclude<LiveRecord, { type: "samples" }>;

/** A message for clients: its JSON text, and what the send queue needs to know about it. */
export interface Message {
  readonly type: LiveRecord["type"] | "omitted";
  readonly sensorId: string;
  readonly text: string;
  /** Length of `text` in UTF-8. */
  readonly bytes: number;
  /** Readings in it; 0 unless it is `samples`. */
  readonly samples: number;
  /** The record that it carries; null for `samples`, and for `omitted`. */
  readonly record: WholeRecord | null;
}

const types: Readonly<Record<string, Exclude<LiveRecord["type"], "samples">>> = {
  [topics.aggregated.name]: "window",
  [topics.sessions.name]: "session",
  [topics.inference.name]: "inference",
};

/** The topics that live reads. */
export const liveTopics: readonly string[] = [topics.transformed.name, ...Object.keys(types)];

/**
 * Reads a record's value. JSON is passed on as it is, without validation: the processor has written it.
 *
 * @throws Error when the value is not JSON, or not columns where the content type says so
 */
export function readRecord(topic: string, contentType: string | undefined, value: Buffer): LiveRecord {
  const type = types[topic];
  if (type) return { type, data: JSON.parse(value.toString("utf8")) as never };
  return { type: "samples", data: contentType === contentTypes.columnsPacked ? fromPacked(value) : fromJson(value) };
}

function fromPacked(value: Buffer): Samples {
  const { header, t, values } = decodeColumns(value);
  const { id, sensorId, seq, boot, columns } = header;
  return {
    id,
    sensorId,
    seq,
    ...(boot === undefined ? {} : { boot }),
    t,
    columns: Object.fromEntries(columns.map((name, i) => [name, values[i]!])),
  };
}

function fromJson(value: Buffer): Samples {
  const {
    id,
    sensorId,
    seq,
    boot,
    schema: _,
    t,
    ...columns
  } = JSON.parse(value.toString("utf8")) as { schema: unknown; t: number[] } & Omit<Samples, "t" | "columns"> &
    Record<string, number[]>;
  return { id, sensorId, seq, ...(boot === undefined ? {} : { boot }), t, columns } as unknown as Samples;
}

/** A window, session or inference as a message: the record unchanged, or where it is if it exceeds a message. */
export function toMessage(record: WholeRecord): Message {
  const text = `{"type":"${record.type}","data":${JSON.stringify(record.data)}}`;
  const bytes = Buffer.byteLength(text);
  if (bytes > MAX_MESSAGE_BYTES) return omittedMessage(record, bytes);
  return { type: record.type, sensorId: record.data.sensorId, text, bytes, samples: 0, record };
}

/** Instead of a message of `bytes` bytes: which record the client misses, and where it can read it. */
export function omittedMessage({ type, data }: WholeRecord, bytes: number): Message {
  const { sensorId, id } = data;
  const text = JSON.stringify({ type: "omitted", data: { sensorId, type, id, bytes, ...whereToRead(type, data) } });
  return { type: "omitted", sensorId, text, bytes: Buffer.byteLength(text), samples: 0, record: null };
}

/** `path`: of the REST API, null where it has none; `table`: of the lake, which has the record under its id. */
function whereToRead(
  type: WholeRecord["type"],
  data: WholeRecord["data"],
): { readonly path: string | null; readonly table: TableName } {
  if (type === "session")
    return { path: `/sessions/${encodeURIComponent((data as SessionRecord).sessionId)}`, table: "sessions" };
  if (type === "inference") return { path: null, table: "inference" };
  const { start, end } = (data as WindowRecord).window;
  return { path: `/sensors/${encodeURIComponent(data.sensorId)}/windows?from=${start}&to=${end}`, table: "aggregated" };
}

/**
 * Rows [from, to) of a transformed message, as messages that each fit into a frame. If there are several, they have
 * `part` (from 0) and `parts`. Numbers are written with the few digits that identify the f32.
 */
export function samplesMessages(samples: Samples, from: number, to: number): Message[] {
  const whole = samplesMessage(samples, from, to);
  if (whole.bytes <= MAX_FRAME_BYTES) return [whole];
  // Rows differ in their number of digits, hence the margin. A part that is still too large makes more parts.
  for (let parts = Math.ceil((whole.bytes * 1.1) / MAX_FRAME_BYTES); ; parts++) {
    const cut = (part: number): number => from + Math.floor(((to - from) * part) / parts);
    const messages = Array.from({ length: parts }, (_, part) =>
      samplesMessage(samples, cut(part), cut(part + 1), { part, parts }),
    );
    if (parts >= to - from || messages.every(({ bytes }) => bytes <= MAX_FRAME_BYTES)) return messages;
  }
}

function samplesMessage(
  { id, sensorId, seq, boot, t, columns }: Samples,
  from: number,
  to: number,
  part?: { part: number; parts: number },
): Message {
  const data: Record<string, unknown> = { sensorId, id, seq, boot, ...part, t: cut(t, from, to, Number) };
  for (const name in columns) data[name] = cut(columns[name]!, from, to, shortDecimal);
  const text = `{"type":"samples","data":${JSON.stringify(data)}}`;
  return { type: "samples", sensorId, text, bytes: Buffer.byteLength(text), samples: to - from, record: null };
}

function cut<T>(values: ArrayLike<number>, from: number, to: number, convert: (value: number) => T): T[] {
  const result: T[] = [];
  for (let i = from; i < to; i++) result.push(convert(values[i]!));
  return result;
}

/** The message that says how many readings of a sensor a client did not get. */
export function droppedText(sensorId: string, samples: number): string {
  return JSON.stringify({ type: "dropped", data: { sensorId, samples } });
}
