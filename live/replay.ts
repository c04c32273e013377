import type { LogRecord } from "../adapters/record-batches.ts";
import { MillraceError } from "../domain/errors.ts";
import type { Gap, GapReason } from "../domain/live-messages.ts";
import {
  ALL_SENSORS,
  isBeyond,
  resumePositionOf,
  resumeTopics,
  type Resume,
  type ResumePosition,
  type ResumeType,
} from "../domain/resume.ts";
import type { TableName } from "../domain/tables.ts";
import type { EpochMs, TimeInterval } from "../domain/time.ts";
import { toMessage, type Message, type WholeRecord } from "./messages.ts";

/** Kafka's log, uncommitted records included, as live reads it. */
export interface ReplayLog {
  /** Offsets of a partition's first record, and of the next to come. */
  bounds(topic: string, partition: number): Promise<{ readonly earliest: number; readonly latest: number }>;
  /**
   * Records from an offset on; none when there are none yet.
   *
   * @throws MillraceError `input-undecodable` when the first can't be decoded; Error when Kafka does not answer
   */
  fetch(
    topic: string,
    partition: number,
    offset: number,
  ): Promise<{ readonly records: readonly LogRecord[]; readonly nextOffset: number }>;
}

/** How much of a topic's partition is read back, for all connections that wait for it together. */
export const replayLimits = {
  offsets: 50_000,
  bytes: 16 * 1_024 * 1_024,
  /** Offsets that are read in one go: of the first time, and at most. They grow fourfold. */
  firstStep: 200,
  mostStep: 5_000,
} as const;

/** A record of the log, read when somebody asks for what is in it. */
class Logged {
  readonly key: string | null;
  readonly #record: LogRecord;
  readonly #type: ResumeType;
  #data: ResumableData | null | undefined;
  #message: Message | undefined;

  constructor(record: LogRecord, type: ResumeType) {
    this.key = record.key === null ? null : text.decode(record.key);
    this.#record = record;
    this.#type = type;
  }

  /** Null where the record does not have the form of its topic. */
  get data(): ResumableData | null {
    return (this.#data ??= dataOf(this.#record));
  }

  /** Null where its id is not of its partition. */
  get position(): ResumePosition | null {
    const position = resumePositionOf(this.data?.id ?? "");
    return position?.partition === this.#record.partition ? position : null;
  }

  /** As connections get it; they share it. */
  get message(): Message {
    return (this.#message ??= toMessage({ type: this.#type, data: this.data } as WholeRecord));
  }

  /** Event time of what it tells of. */
  get span(): TimeInterval {
    const { window, start = 0, end = start } = this.data ?? {};
    return window ?? { start, end: end + 1 };
  }
}

interface ResumableData {
  readonly id: string;
  /** Of a session. */
  readonly start?: EpochMs;
  readonly end?: EpochMs;
  /** Of a window and an inference. */
  readonly window?: TimeInterval;
}

const text = new TextDecoder();

function dataOf({ value }: LogRecord): ResumableData | null {
  try {
    return value === null ? null : (JSON.parse(text.decode(value)) as ResumableData);
  } catch {
    return null;
  }
}

/** What was read of a partition: everything from some record up to an offset. */
export interface ReadBack {
  readonly type: ResumeType;
  readonly partition: number;
  /** In offset order. */
  readonly records: readonly Logged[];
  /** Offset to read next. */
  readonly end: number;
  /** The id of the first of them. */
  readonly first: ResumePosition | null;
  /** Why nothing older was read; null where there was nothing older, or nothing that is wanted. */
  readonly cut: GapReason | null;
}

/**
 * Reads a partition from its end back to a position, or as far as the limits allow.
 *
 * A repeated transaction writes the same records again. So what is older than a record at or before the position is at
 * or before it, too, or comes again behind that record.
 *
 * @throws Error when Kafka does not answer
 */
export async function readBack(
  log: ReplayLog,
  type: ResumeType,
  partition: number,
  position: ResumePosition,
): Promise<ReadBack> {
  const topic = resumeTopics[type];
  const { earliest, latest } = await log.bounds(topic, partition);
  const chunks: Logged[][] = [];
  let first: ResumePosition | null = null;
  let cut: GapReason | null = null;
  let [room, from, step]: [number, number, number] = [replayLimits.bytes, latest, replayLimits.firstStep];
  while (cut === null && from > earliest && (first === null || isBeyond(first, position))) {
    if (latest - from >= replayLimits.offsets) {
      cut = "too-many";
      break;
    }
    const to = from;
    from = Math.max(earliest, to - step);
    step = Math.min(4 * step, replayLimits.mostStep);
    const read = await readRange(log, topic, partition, { from, to, room });
    if (typeof read === "string") cut = read;
    else {
      for (const { size } of read) room -= size;
      const chunk = read.map((record) => new Logged(record, type));
      chunks.unshift(chunk);
      first = chunk.find((logged) => logged.position !== null)?.position ?? first;
    }
  }
  if (cut === null && earliest > 0 && (first === null || isBeyond(first, position))) cut = "expired";
  return { type, partition, records: chunks.flat(), end: latest, first, cut };
}

/** What was read, and what has been appended behind it. */
export async function readOn(log: ReplayLog, read: ReadBack): Promise<ReadBack> {
  const { type, partition, end } = read;
  const { records, nextOffset } = await log.fetch(resumeTopics[type], partition, end);
  return { ...read, records: [...read.records, ...records.map((one) => new Logged(one, type))], end: nextOffset };
}

/** The records of [from, to); or why they can't be had: they have more bytes than there is room for, say. */
async function readRange(
  log: ReplayLog,
  topic: string,
  partition: number,
  { from, to, room }: { readonly from: number; readonly to: number; readonly room: number },
): Promise<LogRecord[] | GapReason> {
  const found: LogRecord[] = [];
  let left = room;
  for (let offset = from; offset < to;) {
    let fetched: Awaited<ReturnType<ReplayLog["fetch"]>>;
    try {
      fetched = await log.fetch(topic, partition, offset);
    } catch (error) {
      if (error instanceof MillraceError) return "unreadable";
      throw error;
    }
    const wanted = fetched.records.filter((record) => record.offset < to);
    for (const { size } of wanted) left -= size;
    if (left < 0) return "too-many";
    found.push(...wanted);
    offset = fetched.nextOffset;
  }
  return found;
}

/** What a connection is sent again of a type. */
export interface Replayed {
  readonly messages: readonly Message[];
  /** The last record of its sensor that the log has; null where it has none. */
  readonly through: ResumePosition | null;
  /** What it is not sent; null where it is sent all that it missed. */
  readonly gap: Gap | null;
}

/**
 * What a connection is sent again: the newest records behind the id that it gave, within `room` bytes.
 *
 * @param newest The newest id of the partition, of any type: a client may name an id of another one.
 */
export function replayedOf(
  { type, records, first, cut }: ReadBack,
  { sensorId, after: ids }: Resume,
  room: number,
  newest: ResumePosition | null,
): Replayed {
  const after = ids[type]!;
  const position = resumePositionOf(after)!;
  const ofSensor = sensorId === ALL_SENSORS ? records : records.filter(({ key }) => key === sensorId);
  const through = highestOf(ofSensor);
  const gap = (reason: GapReason, about: Pick<Gap, "before" | "from" | "to">): Gap => ({
    type,
    reason,
    after,
    ...about,
    ...whereToRead(type, sensorId, about),
  });
  if (newest === null ? cut === null : isBeyond(position, newest))
    return { messages: [], through, gap: gap("unknown", { before: null, from: null, to: null }) };
  const missed = behind(ofSensor, position);
  let sent = missed.length;
  for (let left = room; sent > 0; sent--) if ((left -= missed[sent - 1]!.message.bytes) < 0) break;
  const messages = missed.slice(sent).map(({ message }) => message);
  const isCut = cut !== null && (first === null || isBeyond(first, position));
  if (sent === 0 && !isCut) return { messages, through, gap: null };
  const spans = missed.slice(0, sent).map(({ span }) => span);
  const next = missed[sent];
  const about = {
    before: next?.data?.id ?? null,
    from: isCut ? null : Math.min(...spans.map(({ start }) => start)),
    to: spans.length > 0 ? Math.max(...spans.map(({ end }) => end)) : (next?.span.start ?? null),
  };
  return { messages, through, gap: gap(isCut ? cut : "too-many", about) };
}

/** The newest id of what was read. */
export function newestOf({ records }: ReadBack): ResumePosition | null {
  return highestOf(records);
}

/** Records at the end of what was read among which the highest id is: a repeated transaction may begin there. */
const LAST = 100;

function highestOf(records: readonly Logged[]): ResumePosition | null {
  let highest: ResumePosition | null = null;
  for (const { position } of records.slice(-LAST))
    if (position && (highest === null || isBeyond(position, highest))) highest = position;
  return highest;
}

/** The records behind a position, each once. */
function behind(records: readonly Logged[], position: ResumePosition): Logged[] {
  let [from, to] = [0, records.length];
  while (from < to) {
    const middle = (from + to) >>> 1;
    const at = records[middle]!.position;
    if (at && !isBeyond(at, position)) from = middle + 1;
    else to = middle;
  }
  let highest = position;
  return records.slice(from).filter(({ position: at }) => {
    if (at === null || !isBeyond(at, highest)) return false;
    highest = at;
    return true;
  });
}

const tables: Readonly<Record<ResumeType, TableName>> = {
  window: "aggregated",
  session: "sessions",
  inference: "inference",
};

/** Where what is missing can be read: of the REST API, where it has such a list; and of the lake. */
export function whereToRead(
  type: ResumeType,
  sensorId: string,
  { from, to }: Pick<Gap, "from" | "to">,
): Pick<Gap, "path" | "table"> {
  const times = [from === null ? "" : `from=${from}`, to === null ? "" : `to=${to}`];
  const isAll = sensorId === ALL_SENSORS;
  const id = encodeURIComponent(sensorId);
  const list = {
    window: isAll ? null : `/sensors/${id}/windows`,
    session: "/sessions",
    inference: isAll ? null : `/sensors/${id}/activity`,
  }[type];
  const query = [type === "session" && !isAll ? `sensorId=${id}` : "", ...times].filter((part) => part !== "");
  return { path: list && [list, query.join("&")].filter((part) => part !== "").join("?"), table: tables[type] };
}
