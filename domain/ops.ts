import { z } from "zod";
import { severities } from "./alarm-spec.ts";
import { modelManifest } from "./models.ts";

// What the operators' API (`/ops`) answers. docs/observability.md#the-operators-api has its paths.

export const partitionOverview = z.object({
  partition: z.int(),
  first: z.int().describe("offset of the first record that is kept"),
  next: z.int().describe("offset that the next record gets"),
  bytes: z.number().nullable().describe("on the disk of its leader; null where the broker does not say"),
  leader: z.int().describe("id of its broker"),
  replicas: z.int(),
  inSync: z.int().describe("replicas that have everything that its leader has"),
});
/** A partition of a topic. Offsets are of committed records. */
export type PartitionOverview = z.infer<typeof partitionOverview>;

export const topicOverview = z.object({
  name: z.string(),
  purpose: z.string().nullable().describe("what it holds; null for a topic that is not Millrace's"),
  partitions: z.array(partitionOverview),
  bytes: z.number().nullable().describe("of all partitions; null where a broker does not say"),
  offsetsPerSecond: z
    .number()
    .nullable()
    .describe("by how much its offsets grow, markers of transactions included; null until it was asked twice"),
  retentionMs: z
    .number()
    .nullable()
    .describe("age at which records may go, ms, -1 for never; null for a topic that is not Millrace's"),
});
export type TopicOverview = z.infer<typeof topicOverview>;

export const groupPartition = z.object({
  partition: z.int(),
  committed: z.int().nullable().describe("null where the group has committed nothing"),
  next: z.int().describe("offset that the next record gets"),
  lag: z.int().nullable().describe("records between the two; null where the group has committed nothing"),
});
/** How far a group is in a partition. */
export type GroupPartition = z.infer<typeof groupPartition>;

const groupLag = z.int().nullable().describe("of all partitions; null where it has committed nothing");
export const groupOverview = z.object({
  group: z.string(),
  state: z.string().describe("Kafka's name of its state, such as `Stable` or `Empty`"),
  members: z.int(),
  readers: z.array(z.string()).describe("programs and functions of Millrace that read with it; empty for others"),
  lag: groupLag,
  topics: z.array(z.object({ topic: z.string(), lag: groupLag, partitions: z.array(groupPartition) })),
});
export type GroupOverview = z.infer<typeof groupOverview>;

export const readable = z.object({ form: z.enum(["text", "base64"]), text: z.string() });
/** Bytes as text, or in base64 where they are none. */
export type Readable = z.infer<typeof readable>;

export const recordPreview = z.object({
  partition: z.int(),
  offset: z.int(),
  timestamp: z.number().describe("of the record, epoch ms"),
  bytes: z.int().describe("of key, value and headers"),
  key: readable.nullable(),
  headers: z.array(z.tuple([z.string(), readable.nullable()])).describe("name and value, in their order"),
  value: z
    .object({
      form: z.enum(["json", "packed", "text", "base64"]).describe("`packed`: a summary of packed columns, as JSON"),
      text: z.string(),
      isCut: z.boolean().describe("whether `text` is only its beginning"),
    })
    .nullable()
    .describe("null for a record without a value"),
});
/** A record, decoded so that a person can read it. */
export type RecordPreview = z.infer<typeof recordPreview>;

export const recordsOverview = z.object({
  topic: z.string(),
  records: z.array(recordPreview).describe("the newest first"),
  isComplete: z
    .boolean()
    .describe("false where older parts of the log may have newer records than the last of these: reading is bounded"),
});
export type RecordsOverview = z.infer<typeof recordsOverview>;

export const componentStatus = z.enum(["ok", "degraded", "down", "unknown"]);
export type ComponentStatus = z.infer<typeof componentStatus>;

export const componentFigure = z.object({
  name: z.string(),
  value: z.number().nullable().describe("null where it has none yet"),
  unit: z.string(),
});
/** A figure of a component. */
export type ComponentFigure = z.infer<typeof componentFigure>;

export const componentOverview = z.object({
  name: z.string(),
  kind: z.enum(["program", "server"]),
  state: z
    .string()
    .describe("what `npm start` knows of its process, such as `running`; on AWS how many of its tasks run"),
  status: componentStatus,
  problems: z.array(z.string()).describe("what is not ok, in words"),
  restarts: z.int(),
  figures: z.array(componentFigure),
});
export type ComponentOverview = z.infer<typeof componentOverview>;

export const raisedAlarmOverview = z.object({
  name: z.string(),
  severity: z.enum(severities),
  means: z.string(),
  runbook: z.string().describe("page in `docs/runbooks/`"),
  sinceMs: z.number().describe("epoch ms"),
  explainedBy: z.string().nullable().describe("the alarm whose outage explains it"),
  components: z.array(z.string()).describe("those whose metrics it is about; empty where it may be any"),
});
/** An alarm that is on. */
export type RaisedAlarm = z.infer<typeof raisedAlarmOverview>;

export const componentsOverview = z.object({
  atMs: z.number().describe("when this was so, epoch ms"),
  components: z.array(componentOverview),
  alarms: z.array(raisedAlarmOverview).describe("those that are on, the most severe first"),
});
export type ComponentsOverview = z.infer<typeof componentsOverview>;

export const modelOverview = z.object({
  name: z.string(),
  version: z.string(),
  stage: z.enum(["candidate", "shadow", "canary", "live", "unreadable"]),
  sha256: z.string().describe("of its files; empty where its manifest can't be read"),
});
export type ModelOverview = z.infer<typeof modelOverview>;

export const shadowAgreement = z.object({
  model: z.string().describe("`<name>/<version>` of the shadow"),
  scores: z.int(),
  agreed: z.int().describe("scores in which it gave the live model's label"),
});
/** How often a shadow model gave the live one's label. */
export type ShadowAgreement = z.infer<typeof shadowAgreement>;

export const modelsOverview = z.object({
  models: z.array(modelOverview),
  previous: z.record(z.string(), z.string()).describe("by model name, the version that a roll back makes live"),
  agreement: z.array(shadowAgreement).describe("of the newest scores in the log"),
});
export type ModelsOverview = z.infer<typeof modelsOverview>;

// What it is asked.

/** Records of one answer. */
export const recordLimits = { default: 20, max: 50 } as const;

/** Digits of a query, as a whole number. */
function natural(least: number, most: number, whenAbsent?: number) {
  const message = `must be a whole number from ${least} to ${most}`;
  return z
    .string()
    .regex(/^\d{1,15}$/, message)
    .transform(Number)
    .pipe(z.number().min(least, message).max(most, message))
    .meta({
      type: "integer",
      minimum: least,
      maximum: most,
      ...(whenAbsent === undefined ? {} : { default: whenAbsent }),
    });
}

/** Query parameters; unknown ones are refused. */
export const opsQueries = {
  none: z.strictObject({}),
  records: z.strictObject({
    topic: z
      .string()
      .regex(/^(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}$/, "must be the name of a topic: 1 to 249 of A-Z a-z 0-9 . _ -")
      .describe("the topic that is read"),
    partition: natural(0, 2 ** 31 - 1)
      .optional()
      .describe("only of this partition; of all when absent"),
    before: natural(0, 1e15 - 1)
      .optional()
      .describe("only before this offset of each partition; the newest when absent"),
    limit: natural(1, recordLimits.max, recordLimits.default)
      .default(recordLimits.default)
      .describe(`records, 1 to ${recordLimits.max}; ${recordLimits.default} when absent`),
  }),
};

/**
 * Body of `POST /ops/models`: what is to become of a version. `rollback` names the version that is to be live again, so
 * that one who looks at old data changes nothing.
 */
export const modelRequest = z.strictObject({
  action: z.enum(["live", "shadow", "off", "rollback"]),
  name: modelManifest.shape.name,
  version: modelManifest.shape.version,
});
export type ModelRequest = z.infer<typeof modelRequest>;

/**
 * Body of `POST /ops/dead-letters`: what is to become of a letter. `id` and `log` are those of `GET /dead-letters`: the
 * letter at the place must have the id.
 */
export const letterRequest = z.strictObject({
  action: z.literal("send-again"),
  id: z.string().min(1).max(512),
  log: z.strictObject({ partition: z.int().min(0), offset: z.int().min(0) }),
});
export type LetterRequest = z.infer<typeof letterRequest>;

/** What a change of models has come to. */
export const modelsChanged = z.object({ lines: z.array(z.string()).describe("what was done, in words") });
export type ModelsChanged = z.infer<typeof modelsChanged>;

/** The record that a dead letter has become. */
export const letterSent = z.object({ topic: z.string(), partition: z.int(), offset: z.int() });
export type LetterSent = z.infer<typeof letterSent>;

/** Header of a POST: what comes again under the same key is done once. */
export const IDEMPOTENCY_HEADER = "idempotency-key";
export const idempotencyKey = z.string().regex(/^[A-Za-z0-9-]{8,64}$/);
