import { z } from "zod";
import { transformedColumns, windowChannels } from "./imu.ts";
import type { PipelineName, pipelines } from "./pipelines.ts";

/**
 * `<source topic>/<partition>/<offset>/<n>`: depends on nothing but the input; n counts per output topic. `log`: the
 * source topic with its generation, see `logName`.
 */
export function recordId(log: string, partition: number, offset: number, n: number): string {
  return `${log}/${partition}/${offset}/${n}`;
}

/** Name of a session: its sensor and its first sample's time. */
export function sessionId(sensorId: string, startMs: number): string {
  return `${sensorId}@${startMs}`;
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
} as const satisfies Record<OutputTopic, z.ZodType>;

/**
 * The value of a task's record in `millrace-progress`; its key is `<pipeline>/<topic>/<partition>`. `Progress` in
 * `processor/engine/ports.ts` says what the fields mean. An empty `failed` is not written.
 */
export const progressRecord = z.object({
  nextOffset: z.int().min(0),
  origin: z.int().min(0),
  fingerprint: z.string(),
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
