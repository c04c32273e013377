import type { LogRecord } from "../adapters/record-batches.ts";
import type { FollowedTopic } from "../adapters/watched-partitions.ts";
import { MAX_FRAME_BYTES, MAX_MESSAGE_BYTES } from "../domain/api.ts";
import { decodeColumns } from "../domain/columns.ts";
import { messageNumberOf, readLetter } from "../domain/dead-letters.ts";
import type { Gap, LiveMessage, Rejected, Resumed } from "../domain/live-messages.ts";
import { existingWhere, type PipelineName } from "../domain/pipelines.ts";
import type {
  AlertRecord,
  BarRecord,
  EnrichedRecord,
  InferenceRecord,
  SessionRecord,
  WindowRecord,
} from "../domain/records.ts";
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
  | { readonly type: "inference"; readonly data: InferenceRecord }
  | { readonly type: "rejected"; readonly data: Rejected }
  | MarketRecord;

/** A record about a symbol. */
export type MarketRecord =
  | { readonly type: "trade"; readonly data: EnrichedRecord }
  | { readonly type: "bar"; readonly data: BarRecord }
  | { readonly type: "alert"; readonly data: AlertRecord };

export function isOfMarket(record: LiveRecord): record is MarketRecord {
  return record.type === "trade" || record.type === "bar" || record.type === "alert";
}

/** A record about a sensor. */
export type SensorRecord = Exclude<LiveRecord, MarketRecord>;

/** A record that is sent as one message. */
export type WholeRecord = Exclude<LiveRecord, { type: "samples" }>;

/** Whom a message is about, as its data name it. */
export type Subject = { readonly sensorId: string } | { readonly symbol: string };

/** A message for clients: its JSON text, and what the send queue needs to know about it. */
export interface Message {
  readonly type: Exclude<LiveMessage["type"], "dropped">;
  readonly subject: Subject;
  readonly text: string;
  /** Length of `text` in UTF-8. */
  readonly bytes: number;
  /** Readings or trades in it, if a slow client may lose it: `samples` and `trade`. Null for all others. */
  readonly droppable: number | null;
  /** The record that it carries; null for `samples`, and for what tells of records. */
  readonly record: WholeRecord | null;
}

/** The topics that live reads, each with the type of its records. */
const sources = [
  { topic: topics.transformed.name, type: "samples" },
  { topic: topics.aggregated.name, type: "window" },
  { topic: topics.sessions.name, type: "session" },
  { topic: topics.inference.name, type: "inference" },
  { topic: topics.deadLetter.name, type: "rejected" },
  { topic: topics.marketEnriched.name, type: "trade", pipeline: "market" },
  { topic: topics.marketAggregated.name, type: "bar", pipeline: "market" },
  { topic: topics.marketAlerts.name, type: "alert", pipeline: "market" },
] as const satisfies readonly { topic: string; type: LiveRecord["type"]; pipeline?: PipelineName }[];

const types = new Map<string, LiveRecord["type"]>(sources.map(({ topic, type }) => [topic, type]));

/** The topics that live reads where these pipelines run. */
export function liveTopics(running: readonly PipelineName[]): FollowedTopic[] {
  return existingWhere<{ topic: string; pipeline?: PipelineName }>(sources, running).map(({ topic, pipeline }) => ({
    topic,
    ofMarket: pipeline === "market",
    // Where a session ended is to be known when somebody subscribes to it.
    always: topic === topics.sessions.name,
  }));
}

const text = new TextDecoder();

/** What a dead letter says of a refused message of a sensor; null where it is about something else. */
export function readRejected({ partition, offset, timestamp, key, value, headers }: LogRecord): LiveRecord | null {
  const keyText = key === null ? null : text.decode(key);
  const letter = readLetter({ partition, offset, timestamp, key: keyText, headers });
  const { id, at, code, message, stage, sensorId, contentType } = letter;
  if (sensorId === null) return null;
  const data = { sensorId, id, at, code, message, stage, ...messageNumberOf(value, contentType) };
  return { type: "rejected", data };
}

/**
 * Reads a record's value. JSON is passed on as it is, without validation: the processor has written it.
 *
 * @throws Error when the value is not JSON, or not columns where the content type says so
 */
export function readRecord(topic: string, contentType: string | undefined, value: Uint8Array): LiveRecord {
  const type = types.get(topic) ?? "samples";
  if (type !== "samples") return { type, data: JSON.parse(text.decode(value)) as never };
  return { type: "samples", data: contentType === contentTypes.columnsPacked ? fromPacked(value) : fromJson(value) };
}

function fromPacked(value: Uint8Array): Samples {
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

function fromJson(value: Uint8Array): Samples {
  const {
    id,
    sensorId,
    seq,
    boot,
    schema: _,
    t,
    ...columns
  } = JSON.parse(text.decode(value)) as { schema: unknown; t: number[] } & Omit<Samples, "t" | "columns"> &
    Record<string, number[]>;
  return { id, sensorId, seq, ...(boot === undefined ? {} : { boot }), t, columns } as unknown as Samples;
}

/** A record as one message: the record unchanged, or where it is if it exceeds a message. */
export function toMessage(record: WholeRecord): Message {
  const text = `{"type":"${record.type}","data":${JSON.stringify(record.data)}}`;
  const bytes = Buffer.byteLength(text);
  if (bytes > MAX_MESSAGE_BYTES) return omittedMessage(record, bytes);
  const droppable = record.type === "trade" ? 1 : null;
  return { type: record.type, subject: subjectOf(record.data), text, bytes, droppable, record };
}

/**
 * Event time from which it counts how late a client sees a record; null for one that waited for something else than the
 * watermark: a revision, a silence, a cancellation.
 */
export function eventTimeOf({ type, data }: WholeRecord): EpochMs | null {
  switch (type) {
    case "window":
    case "bar":
      return data.revision === 0 && data.cause === "watermark" ? data.window.end : null;
    case "trade":
      return data.status === "cancelled" ? null : data.timestamp;
    default:
      return null;
  }
}

function subjectOf(data: WholeRecord["data"]): Subject {
  return "symbol" in data ? { symbol: data.symbol } : { sensorId: data.sensorId };
}

/** Instead of a message of `bytes` bytes: which record the client misses, and where it can read it. */
export function omittedMessage(record: WholeRecord, bytes: number): Message {
  const { type, data } = record;
  const subject = subjectOf(data);
  const text = JSON.stringify({
    type: "omitted",
    data: { ...subject, type, id: data.id, bytes, ...whereToRead(record) },
  });
  return { type: "omitted", subject, text, bytes: Buffer.byteLength(text), droppable: null, record: null };
}

/** What a client that resumes does not get again, or that it has been sent the rest. */
export function resumeMessage(
  sensorId: string,
  about: { readonly type: "gap"; readonly data: Gap } | { readonly type: "resumed"; readonly data: Resumed },
): Message {
  const { type, data } = about;
  const text = JSON.stringify({ type, data: { sensorId, ...data } });
  return { type, subject: { sensorId }, text, bytes: Buffer.byteLength(text), droppable: null, record: null };
}

/** `path`: of the REST API, null where it has none; `table`: of the lake, which has the record under its id. */
function whereToRead({ type, data }: WholeRecord): { readonly path: string | null; readonly table: TableName | null } {
  const encoded = encodeURIComponent;
  switch (type) {
    case "session":
      return { path: `/sessions/${encoded(data.sessionId)}`, table: "sessions" };
    case "inference":
      return { path: null, table: "inference" };
    case "rejected":
      return { path: `/dead-letters/${encoded(data.id)}`, table: "dead_letters" };
    case "window": {
      const { start, end } = data.window;
      return { path: `/sensors/${encoded(data.sensorId)}/windows?from=${start}&to=${end}`, table: "aggregated" };
    }
    case "bar": {
      const { start, end } = data.window;
      const query = `operator=${data.operator}&from=${start}&to=${end}`;
      return { path: `/symbols/${encoded(data.symbol)}/bars?${query}`, table: "market_aggregated" };
    }
    case "alert":
      return {
        path: `/alerts?symbol=${encoded(data.symbol)}&from=${data.trade.timestamp}&to=${data.trade.timestamp + 1}`,
        table: "market_alerts",
      };
    case "trade":
      // The lake has the trade as it was sent, in the log.
      return { path: null, table: null };
  }
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
  return {
    type: "samples",
    subject: { sensorId },
    text,
    bytes: Buffer.byteLength(text),
    droppable: to - from,
    record: null,
  };
}

function cut<T>(values: ArrayLike<number>, from: number, to: number, convert: (value: number) => T): T[] {
  const result: T[] = [];
  for (let i = from; i < to; i++) result.push(convert(values[i]!));
  return result;
}

/** The message that says how many readings of a sensor, or trades of a symbol, a client did not get. */
export function droppedText(subject: Subject, count: number): string {
  return JSON.stringify({
    type: "dropped",
    data: { ...subject, ...("symbol" in subject ? { trades: count } : { samples: count }) },
  });
}
