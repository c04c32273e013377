import type { z } from "zod";
import type { PipelineName } from "../../domain/pipelines.ts";
import { inferenceRecord, lateRecord, outputRecords, sessionRecord, windowRecord } from "../../domain/records.ts";
import type { TableName } from "../../domain/tables.ts";
import { topics } from "../../domain/topics.ts";
import { parseValue, type KafkaRecord } from "../shared/kafka-event.ts";
import { deadLetterRows, logRows } from "./log-rows.ts";
import { partition, type Reach } from "./partition.ts";

/** A row of a lake table: its columns, and its partition (`dt`, `hour`). */
export type Row = Readonly<Record<string, unknown>> & { readonly dt: string; readonly hour: string };

/** The table of a topic, and how its records become rows. */
export interface LakeTable {
  readonly table: TableName;
  /**
   * The rows of a record: one, several for one that is too large for a row of a log, or none.
   *
   * @param generations Of the log in each pipeline's input topic.
   * @throws ZodError, SyntaxError when the record does not follow its schema
   */
  readonly toRows: (record: KafkaRecord, reach: Reach, generations: LogGenerations) => readonly Row[];
}

/** Generation of the log in each pipeline's input topic. */
export type LogGenerations = Readonly<Record<PipelineName, number>>;

/** The tables of the lake, by topic. */
export const lakeTables: Readonly<Record<string, LakeTable>> = {
  [topics.imuData.name]: { table: "raw", toRows: inputLog("sensor") },
  [topics.trades.name]: { table: "market_raw", toRows: inputLog("market") },
  [topics.deadLetter.name]: { table: "dead_letters", toRows: (record, reach) => deadLetterRows(record, reach) },
  [topics.aggregated.name]: {
    table: "aggregated",
    toRows: derived(windowRecord, ({ id, sensorId, operator, window, revision, cause, count, channels }, reach) => ({
      ...partition(window.start, reach),
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
    toRows: derived(sessionRecord, (record, reach) => {
      const { id, type, sessionId, sensorId, start, supersedes } = record;
      const ended = record.type === "ended" ? record : null;
      return {
        ...partition(start, reach),
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
    toRows: derived(inferenceRecord, ({ id, sensorId, window, label, probabilities, model }, reach) => ({
      ...partition(window.start, reach),
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
    toRows: derived(lateRecord, ({ id, sensorId, seq, boot, operator, window, t, samples }, reach) => ({
      ...partition(t[0] ?? window.start, reach),
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
    table: "market_aggregated",
    toRows: derived(outputRecords.marketAggregated, (bar, reach) => {
      const { schema: _, window, firstTrade, lastTrade, ...rest } = bar;
      return {
        ...partition(window.start, reach),
        ...rest,
        window_start: window.start,
        window_end: window.end,
        first_trade: firstTrade,
        last_trade: lastTrade,
      };
    }),
  },
  [topics.marketAlerts.name]: {
    table: "market_alerts",
    toRows: derived(outputRecords.marketAlerts, (alert, reach) => {
      const { schema: _, alertId, trade, ...rest } = alert;
      return {
        ...partition(trade.timestamp, reach),
        ...rest,
        alert_id: alertId,
        trade_id: trade.trade_id,
        timestamp: trade.timestamp,
        price: trade.price ?? null,
        quantity: trade.quantity ?? null,
        amount: trade.amount ?? null,
        currency: trade.currency,
        side: trade.side ?? null,
        account: trade.account ?? null,
        trade_status: trade.status,
        amount_usd: trade.amountUsd,
      };
    }),
  },
};

/** The table that takes the records of a topic. @throws Error when there is none */
export function tableOf(topic: string): LakeTable {
  const table = lakeTables[topic];
  if (!table) throw new Error(`no table of the lake takes records of ${topic}`);
  return table;
}

/** Rows of the log in a pipeline's input topic. */
function inputLog(pipeline: PipelineName): LakeTable["toRows"] {
  return (record, reach, generations) => logRows(record, reach, generations[pipeline]);
}

function derived<T>(schema: z.ZodType<T>, toRow: (value: T, reach: Reach) => Row): LakeTable["toRows"] {
  return (record, reach) => {
    const value = parseValue(record, schema);
    return value === null ? [] : [toRow(value, reach)];
  };
}
