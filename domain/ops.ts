import { z } from "zod";
import { modelManifest } from "./models.ts";
import type { EpochMs, Milliseconds } from "./time.ts";

// What the operators' API (`/ops`) answers. docs/observability.md#the-operators-api has its paths.

/** A partition of a topic. Offsets are of committed records. */
export interface PartitionOverview {
  readonly partition: number;
  /** Offset of the first record that is kept. */
  readonly first: number;
  /** Offset that the next record gets. */
  readonly next: number;
  /** On the disk of its leader; null where the broker does not say. */
  readonly bytes: number | null;
  readonly leader: number;
  readonly replicas: number;
  readonly inSync: number;
}

export interface TopicOverview {
  readonly name: string;
  /** What it holds; null for a topic that is not Millrace's. */
  readonly purpose: string | null;
  readonly partitions: readonly PartitionOverview[];
  /** Of all partitions; null where a broker does not say. */
  readonly bytes: number | null;
  /** By how much its offsets grow, markers of transactions included; null until it was asked twice. */
  readonly offsetsPerSecond: number | null;
  /** Age at which records may go, -1 for never; null for a topic that is not Millrace's. */
  readonly retentionMs: Milliseconds | null;
}

/** How far a group is in a partition. */
export interface GroupPartition {
  readonly partition: number;
  /** Null where the group has committed nothing. */
  readonly committed: number | null;
  readonly next: number;
  readonly lag: number | null;
}

export interface GroupOverview {
  readonly group: string;
  /** Kafka's name of its state, such as `Stable` or `Empty`. */
  readonly state: string;
  readonly members: number;
  /** Programs and functions of Millrace that read with it; empty for others. */
  readonly readers: readonly string[];
  /** Of all topics; null where it has committed nothing. */
  readonly lag: number | null;
  readonly topics: readonly {
    readonly topic: string;
    readonly lag: number | null;
    readonly partitions: readonly GroupPartition[];
  }[];
}

/** Bytes as text, or in base64 where they are none. */
export interface Readable {
  readonly form: "text" | "base64";
  readonly text: string;
}

/** A record, decoded so that a person can read it. */
export interface RecordPreview {
  readonly partition: number;
  readonly offset: number;
  readonly timestamp: EpochMs;
  /** Of key, value and headers. */
  readonly bytes: number;
  readonly key: Readable | null;
  readonly headers: readonly (readonly [name: string, value: Readable | null])[];
  /** `packed`: a summary of packed columns, as JSON. Null for a record without a value. */
  readonly value: {
    readonly form: "json" | "packed" | "text" | "base64";
    readonly text: string;
    /** Whether `text` is only its beginning. */
    readonly isCut: boolean;
  } | null;
}

export interface RecordsOverview {
  readonly topic: string;
  /** The newest first. */
  readonly records: readonly RecordPreview[];
  /** Whether older partitions of the log may have newer records than the last of these: reading is bounded. */
  readonly isComplete: boolean;
}

export type ComponentStatus = "ok" | "degraded" | "down" | "unknown";

/** A figure of a component: null where it has none yet. */
export interface ComponentFigure {
  readonly name: string;
  readonly value: number | null;
  readonly unit: string;
}

export interface ComponentOverview {
  readonly name: string;
  readonly kind: "program" | "server";
  /** What `npm start` knows of its process, such as `running`; on AWS how many of its tasks run. */
  readonly state: string;
  readonly status: ComponentStatus;
  /** What is not ok, in words. */
  readonly problems: readonly string[];
  readonly restarts: number;
  readonly figures: readonly ComponentFigure[];
}

/** An alarm that is on. */
export interface RaisedAlarm {
  readonly name: string;
  readonly severity: string;
  readonly means: string;
  /** Page in `docs/runbooks/`. */
  readonly runbook: string;
  readonly sinceMs: EpochMs;
  /** The alarm whose outage explains it. */
  readonly explainedBy: string | null;
  /** Components whose metrics it is about; empty where it may be any. */
  readonly components: readonly string[];
}

export interface ComponentsOverview {
  readonly atMs: EpochMs;
  readonly components: readonly ComponentOverview[];
  /** The most severe first. */
  readonly alarms: readonly RaisedAlarm[];
}

export interface ModelOverview {
  readonly name: string;
  readonly version: string;
  readonly stage: "candidate" | "shadow" | "canary" | "live" | "unreadable";
  readonly sha256: string;
}

/** How often a shadow model gave the live one's label. */
export interface ShadowAgreement {
  /** `<name>/<version>` of the shadow. */
  readonly model: string;
  readonly scores: number;
  readonly agreed: number;
}

export interface ModelsOverview {
  readonly models: readonly ModelOverview[];
  /** By model name, the version that a roll back makes live. */
  readonly previous: Readonly<Record<string, string>>;
  /** Of the newest scores in the log. */
  readonly agreement: readonly ShadowAgreement[];
}

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

/** The record that a dead letter has become. */
export interface LetterSent {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

/** Header of a POST: what comes again under the same key is done once. */
export const IDEMPOTENCY_HEADER = "idempotency-key";
export const idempotencyKey = z.string().regex(/^[A-Za-z0-9-]{8,64}$/);
