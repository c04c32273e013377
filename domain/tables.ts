import { windowChannels } from "./imu.ts";
import type { OfPipeline } from "./pipelines.ts";
import type { EpochMs } from "./time.ts";
import { topics } from "./topics.ts";

/** Column types shared by Glue, Athena and Parquet. */
export type ColumnType =
  | "string"
  | "bigint"
  | "int"
  | "double"
  | "boolean"
  | "array<string>"
  | "array<double>"
  | "map<string,string>"
  | "map<string,double>"
  | `struct<${string}>`
  | `array<${string}>`;

export interface Column {
  readonly name: string;
  readonly type: ColumnType;
  readonly comment: string;
}

/**
 * A table of the lake: Parquet, partitioned by `dt` (yyyy-mm-dd) and `hour` (HH), UTC: `raw`, `market_raw` and
 * `dead_letters` by the record's timestamp, the others by event time.
 */
export interface TableSpec extends OfPipeline {
  readonly name: string;
  /** Topics whose records it holds. */
  readonly sources: readonly string[];
  readonly columns: readonly Column[];
}

/** A Kafka record, byte for byte. What exceeds a row comes in several, whose keys, headers and values are joined. */
const logColumns = [
  { name: "id", type: "string", comment: "<topic>/<partition>/<offset>, with /<part> from part 1 on" },
  { name: "topic", type: "string", comment: "Kafka topic" },
  { name: "partition", type: "int", comment: "Kafka partition" },
  { name: "offset", type: "bigint", comment: "Kafka offset" },
  { name: "timestamp", type: "bigint", comment: "Kafka timestamp, epoch milliseconds" },
  { name: "part", type: "int", comment: "number of this part of the record, from 0" },
  { name: "parts", type: "int", comment: "rows that the record comes in; 1 for nearly all" },
  { name: "key", type: "string", comment: "key in base64; null for none" },
  {
    name: "headers",
    type: "array<struct<name:string,value:string,more:boolean>>",
    comment: "headers in order, values in base64 or null; with more, the next entry continues name and value",
  },
  { name: "value", type: "string", comment: "value in base64; null for none" },
  { name: "key_text", type: "string", comment: "key as text; null where it is no UTF-8, or long" },
  { name: "headers_text", type: "map<string,string>", comment: "headers as text, the last of each name" },
] as const satisfies readonly Column[];

const id: Column = {
  name: "id",
  type: "string",
  comment: "unique per record: <source topic>/<partition>/<offset>/<n>",
};
const sensorId: Column = { name: "sensor_id", type: "string", comment: "the sensor" };
const ms = (name: string, comment: string): Column => ({
  name,
  type: "double",
  comment: `${comment}, epoch milliseconds`,
});
const interval = [
  ms("window_start", "first instant of the window"),
  ms("window_end", "first instant after the window"),
];
const symbol: Column = { name: "symbol", type: "string", comment: "traded instrument" };
const statistic = "struct<mean:double,std:double,min:double,max:double,rms:double>" as const;

/** The tables of the lake. Each has a view `<name>_exact` with one row per `id`. */
export const tables = {
  raw: {
    name: "raw",
    sources: [topics.imuData.name],
    columns: logColumns,
  },
  dead_letters: {
    name: "dead_letters",
    sources: [topics.deadLetter.name],
    columns: [
      ...logColumns,
      { name: "error_code", type: "string", comment: "why it was refused, see docs/contracts.md" },
      { name: "error_message", type: "string", comment: "what was received, and what to do" },
      { name: "stage", type: "string", comment: "where it was refused" },
      { name: "source_topic", type: "string", comment: "topic of the record that was refused" },
      { name: "source_partition", type: "int", comment: "its partition" },
      { name: "source_offset", type: "bigint", comment: "its offset" },
    ],
  },
  aggregated: {
    name: "aggregated",
    sources: [topics.aggregated.name],
    columns: [
      id,
      sensorId,
      { name: "operator", type: "string", comment: "window operator, such as tumbling-1000" },
      ...interval,
      { name: "revision", type: "int", comment: "how many times the window had fired before" },
      { name: "cause", type: "string", comment: "watermark, late, idle or end-of-input" },
      { name: "count", type: "bigint", comment: "readings in the window" },
      ...windowChannels.map((name): Column => ({
        name: name.toLowerCase(),
        type: statistic,
        comment: `statistics of ${name}`,
      })),
    ],
  },
  sessions: {
    name: "sessions",
    sources: [topics.sessions.name],
    columns: [
      id,
      { name: "type", type: "string", comment: "started or ended" },
      { name: "session_id", type: "string", comment: "sensor and first sample's time" },
      sensorId,
      ms("start", "first sample"),
      ms("end", "last sample; null while open"),
      { name: "samples", type: "bigint", comment: "readings in the session" },
      { name: "revision", type: "int", comment: "counts the ended records" },
      { name: "cause", type: "string", comment: "watermark, late, idle or end-of-input" },
      { name: "supersedes", type: "array<string>", comment: "ids that this session has swallowed" },
      { name: "activity", type: "map<string,double>", comment: "seconds per recognised label" },
      { name: "warnings", type: "array<string>", comment: "codes of what is odd about its readings; null for none" },
    ],
  },
  inference: {
    name: "inference",
    sources: [topics.inference.name],
    columns: [
      id,
      sensorId,
      ...interval,
      { name: "label", type: "string", comment: "most probable label; null when a number was not finite" },
      { name: "probabilities", type: "map<string,double>", comment: "probability per label; null where the label is" },
      { name: "model_name", type: "string", comment: "model that scored" },
      { name: "model_version", type: "string", comment: "its version" },
    ],
  },
  late: {
    name: "late",
    sources: [topics.late.name],
    columns: [
      id,
      sensorId,
      { name: "seq", type: "bigint", comment: "message number since boot" },
      { name: "boot", type: "string", comment: "boot of the device" },
      { name: "operator", type: "string", comment: "window, session or inference" },
      ...interval,
      { name: "t", type: "array<double>", comment: "times of the readings" },
      { name: "samples", type: "array<array<double>>", comment: "the readings" },
    ],
  },
  market_raw: {
    name: "market_raw",
    pipeline: "market",
    sources: [topics.trades.name],
    columns: logColumns,
  },
  market_aggregated: {
    name: "market_aggregated",
    pipeline: "market",
    sources: [topics.marketAggregated.name],
    columns: [
      id,
      symbol,
      { name: "operator", type: "string", comment: "window operator, such as tumbling-60000" },
      ...interval,
      { name: "revision", type: "int", comment: "how many times the window had fired before" },
      { name: "cause", type: "string", comment: "watermark, late, idle, settings or end-of-input" },
      { name: "count", type: "bigint", comment: "executed trades" },
      { name: "pending", type: "bigint", comment: "pending trades, which are in no other figure" },
      { name: "cancelled", type: "bigint", comment: "cancelled trades, which are in no other figure" },
      { name: "open", type: "double", comment: "price of the first trade by event time; null for none" },
      { name: "high", type: "double", comment: "highest price; null for none" },
      { name: "low", type: "double", comment: "lowest price; null for none" },
      { name: "close", type: "double", comment: "price of the last trade by event time; null for none" },
      { name: "volume", type: "double", comment: "sum of quantities; null for none" },
      { name: "vwap", type: "double", comment: "price weighted by quantity; null for none" },
      {
        name: "notional",
        type: "struct<sum:double,mean:double,min:double,max:double>",
        comment: "amounts in US dollars; null where no trade tells",
      },
      ms("first_trade", "event time of the first executed trade, null for none"),
      ms("last_trade", "event time of the last executed trade, null for none"),
    ],
  },
  market_alerts: {
    name: "market_alerts",
    pipeline: "market",
    sources: [topics.marketAlerts.name],
    columns: [
      id,
      symbol,
      { name: "alert_id", type: "string", comment: "symbol, trade and rule: raised and withdrawn have the same" },
      { name: "rule", type: "string", comment: "name of the rule" },
      { name: "kind", type: "string", comment: "kind of rule" },
      { name: "severity", type: "string", comment: "LOW, MEDIUM, HIGH or CRITICAL" },
      { name: "status", type: "string", comment: "raised or withdrawn" },
      { name: "revision", type: "int", comment: "0 raised, 1 withdrawn as the trade was cancelled" },
      { name: "figure", type: "double", comment: "what broke the rule; null for a rule without figures" },
      { name: "limit", type: "double", comment: "limit of the rule; null for a rule without figures" },
      { name: "trade_id", type: "string", comment: "the trade, within its symbol" },
      ms("timestamp", "event time of the trade"),
      { name: "price", type: "double", comment: "its price; null for none" },
      { name: "quantity", type: "double", comment: "its quantity; null for none" },
      { name: "amount", type: "double", comment: "its amount; null for none" },
      { name: "currency", type: "string", comment: "currency of price and amount, ISO 4217" },
      { name: "side", type: "string", comment: "buy or sell; null for none" },
      { name: "account", type: "string", comment: "account; null for none" },
      { name: "trade_status", type: "string", comment: "pending, executed or cancelled" },
      { name: "amount_usd", type: "double", comment: "its amount in US dollars; null where it is not known" },
      { name: "reference", type: "string", comment: "version of the reference data; null before the first" },
    ],
  },
} as const satisfies Record<string, TableSpec>;

export type TableName = keyof typeof tables;
/** The table that holds the log of a pipeline's input topic. @throws Error when there is none */
export function logTableOf(topic: string): TableSpec {
  const table = [tables.raw, tables.market_raw].find(({ sources }) => (sources as readonly string[]).includes(topic));
  if (!table) throw new Error(`no table of the lake holds the log ${topic}`);
  return table;
}

/** Partition columns of every table. */
export const partitionColumns = [
  { name: "dt", type: "string", comment: "date, yyyy-mm-dd, UTC" },
  { name: "hour", type: "string", comment: "hour, HH, UTC" },
] as const;

/** Where the partitions begin: at the past guard's earliest time, within the years that have four digits. */
export function firstPartitionMs(earliestTimeMs: EpochMs): EpochMs {
  return Math.min(Math.max(earliestTimeMs, Date.parse("0001-01-01")), Date.parse("9999-12-31"));
}

/** The range of `dt` that Athena's projection reaches: from the first partition to a day ahead. */
export function projectedDates(earliestTimeMs: EpochMs): string {
  return `${new Date(firstPartitionMs(earliestTimeMs)).toISOString().slice(0, 10)},NOW+1DAYS`;
}
