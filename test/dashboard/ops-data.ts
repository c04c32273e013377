import type {
  ComponentsOverview,
  GroupOverview,
  ModelsOverview,
  RecordPreview,
  RecordsOverview,
  TopicOverview,
} from "../../domain/ops.ts";
import { now } from "./market-records.ts";

export const components: ComponentsOverview = {
  atMs: now,
  components: [
    { name: "kafka", kind: "server", state: "running", status: "ok", problems: [], restarts: 0, figures: [] },
    {
      name: "processor",
      kind: "program",
      state: "running",
      status: "degraded",
      problems: ["sensor/imu-data-all/3: input-lost: the log starts at 100"],
      restarts: 2,
      figures: [
        { name: "records", value: 1_234.56, unit: "/s" },
        { name: "lag", value: 61_234, unit: "records" },
        { name: "watermark lag", value: 1_500, unit: "ms" },
        { name: "snapshot age", value: null, unit: "ms" },
        { name: "memory", value: 143_597_568, unit: "bytes" },
      ],
    },
    {
      name: "bridge",
      kind: "program",
      state: "restarting",
      status: "down",
      problems: [],
      restarts: 1,
      figures: [{ name: "CPU", value: 12.34, unit: "% of a core" }],
    },
  ],
  alarms: [
    {
      name: "brokers-gone",
      severity: "CRITICAL",
      means: "Kafka has acknowledged nothing for half a minute",
      runbook: "brokers-gone",
      sinceMs: now,
      explainedBy: null,
      components: ["bridge"],
    },
    {
      name: "lag-sensor",
      severity: "HIGH",
      means: "The sensor pipeline has more than 50,000 records before it",
      runbook: "lag",
      sinceMs: now,
      explainedBy: "brokers-gone",
      components: ["processor"],
    },
  ],
};

const partition = (number: number, next: number) => ({
  partition: number,
  first: 0,
  next,
  bytes: 2_048,
  leader: 1,
  replicas: 3,
  inSync: 2,
});

export const topics: readonly TopicOverview[] = [
  {
    name: "imu-data-all",
    purpose: "readings as devices sent them, and control records",
    partitions: [partition(0, 100), partition(1, 1_000)],
    bytes: 4_096,
    offsetsPerSecond: 49.75,
    retentionMs: 604_800_000,
  },
  {
    name: "somebody-elses",
    purpose: null,
    partitions: [partition(0, 0)],
    bytes: null,
    offsetsPerSecond: null,
    retentionMs: null,
  },
];

export function record(offset: number, more: Partial<RecordPreview> = {}): RecordPreview {
  return {
    partition: 1,
    offset,
    timestamp: now + offset,
    bytes: 287,
    key: { form: "text", text: "s1" },
    headers: [["content-type", { form: "text", text: "application/json" }]],
    value: { form: "json", text: `{"seq":${offset},"samples":[[0,0,9.8,0,0,0]]}`, isCut: false },
    ...more,
  };
}

export const tick = record(4, {
  key: null,
  value: null,
  headers: [
    ["type", { form: "text", text: "tick" }],
    ["raw", { form: "base64", text: "/w==" }],
    ["none", null],
  ],
});

export function recordsOf(...records: RecordPreview[]): RecordsOverview {
  return { topic: "imu-data-all", records, isComplete: true };
}

export const groups: readonly GroupOverview[] = [
  {
    group: "millrace-processor-sensor",
    state: "Stable",
    members: 1,
    readers: ["processor"],
    lag: 11,
    topics: [
      {
        topic: "imu-data-all",
        lag: 11,
        partitions: [
          { partition: 0, committed: 89, next: 100, lag: 11 },
          { partition: 1, committed: null, next: 1_000, lag: null },
        ],
      },
    ],
  },
  { group: "millrace-live-v2", state: "Stable", members: 1, readers: ["live"], lag: null, topics: [] },
];

export const models: ModelsOverview = {
  models: [
    { name: "activity", version: "1.0.0", stage: "live", sha256: "1ab3a13a119b".padEnd(64, "0") },
    { name: "activity", version: "1.1.0", stage: "shadow", sha256: "2".repeat(64) },
    { name: "activity", version: "0.9.0", stage: "candidate", sha256: "3".repeat(64) },
    { name: "activity", version: "broken", stage: "unreadable", sha256: "" },
  ],
  previous: { activity: "0.9.0" },
  agreement: [{ model: "activity/1.1.0", scores: 300, agreed: 291 }],
};
