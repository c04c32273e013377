import { createHash } from "node:crypto";
import { z } from "zod";
import { newPackedImuHeader, readPackedImuHeader } from "../../domain/packed-imu.ts";
import { inferenceRecord, lateRecord, sessionRecord, windowRecord } from "../../domain/records.ts";
import type { TableName } from "../../domain/tables.ts";
import { DAY } from "../../domain/time.ts";
import { contentTypes, controlTypes, headers, topics } from "../../domain/topics.ts";
import { parseValue, type KafkaRecord } from "../shared/kafka-event.ts";

/** A row of a lake table: its columns, and the partition (`dt`, `hour`) of its event time. */
export type Row = Readonly<Record<string, unknown>> & { readonly dt: string; readonly hour: string };

/** Bytes of a Firehose record, at most: 1,000 KiB, inclusive. */
export const MAX_ROW_BYTES = 1_000 * 1_024;

const marketRecord = z.object({
  id: z.string(),
  symbol: z.string(),
  operator: z.string(),
  window: z.object({ start: z.number(), end: z.number() }),
  revision: z.int(),
  cause: z.string(),
  count: z.int(),
  open: z.number(),
  high: z.number(),
  low: z.number(),
  close: z.number(),
  volume: z.number(),
  vwap: z.number(),
});

/** The table of a topic, and how its records become rows. */
export interface LakeTable {
  readonly table: TableName;
  /**
   * The row of a record; null for a record that has none.
   *
   * @throws ZodError, SyntaxError when the record does not follow its schema
   */
  readonly toRow: (record: KafkaRecord) => Row | null;
}

/** The tables of the lake, by topic. */
export const lakeTables: Readonly<Record<string, LakeTable>> = {
  [topics.imuData.name]: { table: "raw", toRow: rawRow },
  [topics.aggregated.name]: {
    table: "aggregated",
    toRow: derived(windowRecord, ({ id, sensorId, operator, window, revision, cause, count, channels }) => ({
      ...partition(window.start),
      id,
      sensor_id: sensorId,
      operator,
      window_start: window.start,
      window_end: window.end,
      revision,
      cause,
      count,
      ...Object.fromEntries(Object.entries(channels).map(([name, statistics]) => [name.toLowerCase(), statistics])),
    })),
  },
  [topics.sessions.name]: {
    table: "sessions",
    toRow: derived(sessionRecord, (record) => {
      const { id, type, sessionId, sensorId, start, supersedes } = record;
      const ended = record.type === "ended" ? record : null;
      return {
        ...partition(start),
        id,
        type,
        session_id: sessionId,
        sensor_id: sensorId,
        start,
        end: ended?.end ?? null,
        samples: ended?.samples ?? null,
        revision: ended?.revision ?? null,
        cause: ended?.cause ?? null,
        supersedes,
        activity: ended?.activity ?? null,
        warnings: ended?.warnings ?? null,
      };
    }),
  },
  [topics.inference.name]: {
    table: "inference",
    toRow: derived(inferenceRecord, ({ id, sensorId, window, label, probabilities, model }) => ({
      ...partition(window.start),
      id,
      sensor_id: sensorId,
      window_start: window.start,
      window_end: window.end,
      label,
      probabilities,
      model_name: model.name,
      model_version: model.version,
    })),
  },
  [topics.late.name]: {
    table: "late",
    toRow: derived(lateRecord, ({ id, sensorId, seq, boot, operator, window, t, samples }) => ({
      ...partition(t[0] ?? window.start),
      id,
      sensor_id: sensorId,
      seq,
      boot: boot ?? null,
      operator,
      window_start: window.start,
      window_end: window.end,
      t,
      samples,
    })),
  },
  [topics.marketAggregated.name]: {
    table: "market",
    toRow: derived(marketRecord, ({ window, ...rest }) => ({
      ...partition(window.start),
      ...rest,
      window_start: window.start,
      window_end: window.end,
    })),
  },
};

/** The table that takes the records of a topic. @throws Error when there is none */
export function tableOf(topic: string): LakeTable {
  const table = lakeTables[topic];
  if (!table) throw new Error(`no table of the lake takes records of ${topic}`);
  return table;
}

function derived<T>(schema: z.ZodType<T>, toRow: (value: T) => Row): LakeTable["toRow"] {
  return (record) => {
    const value = parseValue(record, schema);
    return value === null ? null : toRow(value);
  };
}

/**
 * The record as it is in the log, so that it can be replayed. A value that is too large for a row is null there; its
 * size and digest are in the headers.
 */
function rawRow(record: KafkaRecord): Row {
  const { topic, partition: number, offset, timestamp, key, value } = record;
  const row = {
    ...partition(eventTime(record)),
    id: `${topic}/${number}/${offset}`,
    topic,
    partition: number,
    offset,
    timestamp,
    key,
    headers: record.headers,
  };
  if (value === null || (value.length * 4) / 3 < MAX_ROW_BYTES - 64 * 1024)
    return { ...row, value: value?.toString("base64") ?? null };
  return {
    ...row,
    headers: {
      ...record.headers,
      [headers.fullSize]: String(value.length),
      [headers.fullSha256]: createHash("sha256").update(value).digest("hex"),
    },
    value: null,
  };
}

/**
 * The time of the first sample if the payload has it, else the record's timestamp; epoch ms. A time more than a day
 * ahead of the record comes from a wrong clock, and would create partitions without bound. It is ignored.
 */
function eventTime({ value, headers: received, timestamp }: KafkaRecord): number {
  if (value === null || received[headers.type] === controlTypes.tick) return timestamp;
  const type = received[headers.contentType] ?? contentTypes.json;
  const time = type === contentTypes.imuPacked ? packedFirstTime(value) : jsonFirstTime(value);
  return time !== null && time >= 0 && time <= timestamp + DAY ? time : timestamp;
}

/** Finds `"t": [1657533977813, …` or `"t": 1657533977813` without parsing the payload, which may have 128 KB. */
function jsonFirstTime(value: Buffer): number | null {
  const match = /"t"\s*:\s*\[?\s*(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)/.exec(value.toString("latin1"));
  return match ? Number(match[1]) : null;
}

function packedFirstTime(value: Buffer): number | null {
  const header = newPackedImuHeader();
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
  return readPackedImuHeader(view, header) === null ? view.getFloat64(header.timesAt, true) : null;
}

const YEAR_10000 = Date.UTC(10_000, 0);

/** The partition of an event time (epoch ms), in UTC. A time outside 1970 to 9999 is moved to their bounds. */
export function partition(ms: number): { dt: string; hour: string } {
  const iso = new Date(Math.min(Math.max(ms, 0), YEAR_10000 - 1)).toISOString();
  return { dt: iso.slice(0, 10), hour: iso.slice(11, 13) };
}
