import { z } from "zod";
import { windowChannels } from "./imu.ts";

/** `<source topic>/<partition>/<offset>/<n>`: depends on nothing but the input; n counts per output topic. */
export function recordId(sourceTopic: string, partition: number, offset: number, n: number): string {
  return `${sourceTopic}/${partition}/${offset}/${n}`;
}

/** Name of a session: its sensor and its first sample's time. */
export function sessionId(sensorId: string, startMs: number): string {
  return `${sensorId}@${startMs}`;
}

const base = { id: z.string(), schema: z.literal(1) };
const interval = z.object({ start: z.number(), end: z.number() });

/** What made a window or session fire. */
export const cause = z.enum(["watermark", "late", "idle", "end-of-input"]);
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
  channels: z.object(
    Object.fromEntries(windowChannels.map((name) => [name, channelStatistics])) as Record<
      (typeof windowChannels)[number],
      typeof channelStatistics
    >,
  ),
});
export type WindowRecord = z.infer<typeof windowRecord>;

export const sessionStartedRecord = z.object({
  ...base,
  type: z.literal("started"),
  sessionId: z.string(),
  sensorId: z.string(),
  start: z.number(),
  supersedes: z.array(z.string()),
});
export const sessionEndedRecord = z.object({
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
});
export const sessionRecord = z.discriminatedUnion("type", [sessionStartedRecord, sessionEndedRecord]);
export type SessionRecord = z.infer<typeof sessionRecord>;

export const lateRecord = z.object({
  ...base,
  sensorId: z.string(),
  seq: z.int().min(0),
  boot: z.string().optional(),
  operator: z.enum(["window", "session", "inference"]),
  window: interval,
  t: z.array(z.number()),
  samples: z.array(z.array(z.number())),
});
export type LateRecord = z.infer<typeof lateRecord>;

export const inferenceRecord = z.object({
  ...base,
  sensorId: z.string(),
  /** The interval of event time that the label describes. */
  window: interval,
  label: z.string(),
  probabilities: z.record(z.string(), z.number()),
  model: z.object({ name: z.string(), version: z.string() }),
});
export type InferenceRecord = z.infer<typeof inferenceRecord>;

/** A task's record in `millrace-progress`; its key is `<pipeline>/<topic>/<partition>`. */
export const progressRecord = z.object({
  schema: z.literal(1),
  /** `progress`: everything below `nextOffset` is done. `claim`: a new owner read the log up to here. */
  type: z.enum(["progress", "claim"]),
  nextOffset: z.int().min(0),
  fingerprint: z.string(),
  chain: z.string(),
  owner: z.string(),
});
export type ProgressRecord = z.infer<typeof progressRecord>;
