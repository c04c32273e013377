import { z } from "zod";
import { transformedColumns, windowChannels } from "./imu.ts";
import { severities, trade } from "./market.ts";
import type { PipelineName, pipelines } from "./pipelines.ts";
import type { EpochMs } from "./time.ts";

/**
 * `<source topic>/<partition>/<offset>/<n>`: depends on nothing but the input; n counts per output topic. `log`: the
 * source topic with its generation, see `logName`.
 */
export function recordId(log: string, partition: number, offset: number, n: number): string {
  return `${log}/${partition}/${offset}/${n}`;
}

/** Where an id's record comes from: an input offset, and the record's number among its outputs to one topic. */
export interface RecordPosition {
  readonly offset: number;
  readonly n: number;
}

/** The source partition and the position that an id of `recordId` names; null for an id of another form. */
export function readRecordId(id: string): { readonly source: string; readonly position: RecordPosition } | null {
  const nAt = id.lastIndexOf("/");
  const offsetAt = id.lastIndexOf("/", nAt - 1);
  const n = Number(id.slice(nAt + 1));
  const offset = Number(id.slice(offsetAt + 1, nAt));
  if (offsetAt < 0 || !Number.isInteger(n) || !Number.isInteger(offset)) return null;
  return { source: id.slice(0, offsetAt), position: { offset, n } };
}

/** Name of a session: its sensor and its first sample's time. */
export function sessionId(sensorId: string, startMs: number): string {
  return `${sensorId}@${startMs}`;
}

/** The sensor and the start (epoch ms) that a session's id names: `<sensorId>@<start>`. */
export function parseSessionId(sessionId: string): { readonly sensorId: string; readonly start: EpochMs } {
  const at = sessionId.lastIndexOf("@");
  return { sensorId: sessionId.slice(0, at), start: Number(sessionId.slice(at + 1)) };
}

/** What every derived record begins with. The processor's emitter writes both. */
const base = { id: z.string(), schema: z.literal(1) };
/** Which message of a sensor a record is about. */
const messageIdentity = { sensorId: z.string(), seq: z.int().min(0), boot: z.string().optional() };
const interval = z.object({ start: z.number(), end: z.number() });

/** What made a window or session fire. */
export const cause = z.enum(["watermark", "late", "idle", "settings", "end-of-input"]);
export type Cause = z.infer<typeof cause>;

export const channelStatistics = z.object({
  mean: z.number(),
  /** Population standard deviation. */
  std: z.number(),
  min: z.number(),
  max: z.number(),
  rms: z.number(),
});

export const windowRecord = z.object({
  ...base,
  sensorId: z.string(),
  operator: z.string(),
  window: interval,
  revision: z.int().min(0),
  cause,
  count: z.int().min(1),
  channels: z.object(byName(windowChannels, channelStatistics)),
});
export type WindowRecord = z.infer<typeof windowRecord>;

const sessionStartedRecord = z.object({
  ...base,
  type: z.literal("started"),
  sessionId: z.string(),
  sensorId: z.string(),
  start: z.number(),
  supersedes: z.array(z.string()),
});
const sessionEndedRecord = z.object({
  ...base,
  type: z.literal("ended"),
  sessionId: z.string(),
  sensorId: z.string(),
  start: z.number(),
  end: z.number(),
  samples: z.int().min(1),
  revision: z.int().min(0),
  cause,
  supersedes: z.array(z.string()),
  /** Seconds per label that the model recognised, where a model scores. */
  activity: z.record(z.string(), z.number()).optional(),
  /** Codes of `sessionWarnings`, where there is one. Readers take those that they don't know, too. */
  warnings: z.array(z.string()).optional(),
});
export const sessionRecord = z.discriminatedUnion("type", [sessionStartedRecord, sessionEndedRecord]);
export type SessionRecord = z.infer<typeof sessionRecord>;

export const lateRecord = z.object({
  ...base,
  ...messageIdentity,
  operator: z.enum(["window", "session", "inference"]),
  window: interval,
  t: z.array(z.number()),
  samples: z.array(z.array(z.number())),
});
export type LateRecord = z.infer<typeof lateRecord>;

/** A trade, by the names of the contract, and what the reference data says of it. */
const enrichedRecord = z.object({
  ...base,
  symbol: z.string(),
  ...trade.shape,
  /** Null where the amount or the currency's rate is not known. */
  amountUsd: z.number().nullable(),
  /** Flags of the symbol. */
  flags: z.array(z.string()),
  /** Version of the reference data; null before the first. */
  reference: z.string().nullable(),
});
export type EnrichedRecord = z.infer<typeof enrichedRecord>;

/** Executed trades of a window. A figure that no trade tells is null. */
export const barRecord = z.object({
  ...base,
  symbol: z.string(),
  operator: z.string(),
  window: interval,
  revision: z.int().min(0),
  cause,
  /** Executed trades. */
  count: z.int().min(0),
  pending: z.int().min(0),
  cancelled: z.int().min(0),
  /** Price of the first and of the last trade by event time; of equal times, by arrival. */
  open: z.number().nullable(),
  high: z.number().nullable(),
  low: z.number().nullable(),
  close: z.number().nullable(),
  /** Sum of quantities. */
  volume: z.number().nullable(),
  /** Sum of price × quantity over sum of quantity, of the trades that have both. */
  vwap: z.number().nullable(),
  /** Amounts in US dollars. */
  notional: z.object({
    sum: z.number().nullable(),
    mean: z.number().nullable(),
    min: z.number().nullable(),
    max: z.number().nullable(),
  }),
  /** Event times of the first and the last executed trade, epoch ms. */
  firstTrade: z.number().nullable(),
  lastTrade: z.number().nullable(),
});
export type BarRecord = z.infer<typeof barRecord>;

const positionRecord = z.object({
  ...base,
  symbol: z.string(),
  account: z.string(),
  /** Net quantity: bought less sold. */
  quantity: z.number(),
  /** Net amount in US dollars: bought less sold. */
  notional: z.number(),
  /** Executed trades in it. */
  trades: z.int().min(0),
  /** Counts the records of this symbol and account. */
  revision: z.int().min(0),
  /** Event time of the trade that changed it, epoch ms. */
  timestamp: z.number(),
});
export type PositionRecord = z.infer<typeof positionRecord>;

const alertRecord = z.object({
  ...base,
  symbol: z.string(),
  /** `<symbol>/<trade_id>/<rule>`: an alert that is withdrawn has the same. */
  alertId: z.string(),
  rule: z.string(),
  kind: z.string(),
  severity: z.enum(severities),
  status: z.enum(["raised", "withdrawn"]),
  /** 0 when it was raised, 1 when it was withdrawn because the trade was cancelled. */
  revision: z.int().min(0),
  /** The figure that broke the rule, and the rule's limit; null for a rule without figures. */
  figure: z.number().nullable(),
  limit: z.number().nullable(),
  trade: z.object({ ...trade.shape, amountUsd: z.number().nullable() }),
  reference: z.string().nullable(),
});
export type AlertRecord = z.infer<typeof alertRecord>;

const marketLateRecord = z.object({
  ...base,
  symbol: z.string(),
  /** The window operator whose window the trade missed. */
  operator: z.string(),
  window: interval,
  /** The trade as it was received. */
  trade: z.record(z.string(), z.unknown()),
});
export type MarketLateRecord = z.infer<typeof marketLateRecord>;

const modelName = z.object({ name: z.string(), version: z.string() });
/** The most probable label; null when the model gave a number that is not finite. */
const label = z.string().nullable();

export const inferenceRecord = z.object({
  ...base,
  sensorId: z.string(),
  /** The interval of event time that the label describes. */
  window: interval,
  model: modelName,
  label,
  /** Probability per label; null where the label is. */
  probabilities: z.record(z.string(), z.number()).nullable(),
  /** What the shadow model says, where there is one, and whether it says the same. */
  shadow: z.object({ model: modelName, label, agrees: z.boolean() }).optional(),
});
export type InferenceRecord = z.infer<typeof inferenceRecord>;

/** A transformed message as JSON. In its packed form, `t` and the columns follow a `transformedHeader`. */
const transformedRecord = z.object({
  ...base,
  ...messageIdentity,
  t: z.array(z.number()),
  ...byName(transformedColumns, z.array(z.number())),
});
export type TransformedRecord = z.infer<typeof transformedRecord>;

/** The header of a packed transformed message, see `domain/columns.ts`. */
export const transformedHeader = z.object({
  ...base,
  ...messageIdentity,
  count: z.int().min(1),
  /** Names of the columns behind `t`, in order. */
  columns: z.array(z.string()).readonly(),
});

type OutputTopic = (typeof pipelines)[PipelineName]["outputs"][number];

/** The schema of each topic that a pipeline writes, of its JSON form where it has several. */
export const outputRecords = {
  transformed: transformedRecord,
  aggregated: windowRecord,
  late: lateRecord,
  sessions: sessionRecord,
  inference: inferenceRecord,
  marketEnriched: enrichedRecord,
  marketAggregated: barRecord,
  marketPositions: positionRecord,
  marketAlerts: alertRecord,
  marketLate: marketLateRecord,
} as const satisfies Record<OutputTopic, z.ZodType>;

/**
 * The value of a task's record in `millrace-progress`; its key is `<pipeline>/<topic>/<partition>`. `Progress` in
 * `processor/engine/ports.ts` says what the fields mean. An empty `failed` is not written.
 */
export const progressRecord = z.object({
  nextOffset: z.int().min(0),
  origin: z.int().min(0),
  fingerprint: z.string(),
  version: z.string().optional(),
  chain: z.string(),
  controls: z.record(z.string(), z.int()).optional(),
  before: z.string().optional(),
  failed: z
    .array(
      z.union([z.tuple([z.int().min(0), z.string()]), z.tuple([z.int().min(0), z.string(), z.string()])]).readonly(),
    )
    .readonly()
    .default([]),
});
/** As it is written, `failed` being optional. */
export type ProgressRecord = z.input<typeof progressRecord>;

/** One schema under each of several names. */
function byName<N extends string, S extends z.ZodType>(names: readonly N[], schema: S): Record<N, S> {
  return Object.fromEntries(names.map((name) => [name, schema])) as Record<N, S>;
}
