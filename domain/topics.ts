import { DAY, type Milliseconds } from "./time.ts";

/** What a Kafka topic is created with. */
export interface TopicSpec {
  readonly name: string;
  readonly partitions: number;
  /** `delete` drops records older than `retentionMs`; `compact` keeps the newest record of each key. */
  readonly cleanup: "delete" | "compact";
  /** Age at which records may be deleted; -1 keeps them for ever. */
  readonly retentionMs: Milliseconds;
  /** `LogAppendTime`: the broker stamps records on arrival, so that no producer's clock moves ours. */
  readonly timestampType: "LogAppendTime" | "CreateTime";
  /** Largest record batch the broker takes. */
  readonly maxMessageBytes: number;
  readonly purpose: string;
}

/**
 * The settings of a topic by Kafka's names. MSK Serverless takes `cleanup.policy` at creation alone, and would keep 250
 * GiB of a partition where `retention.bytes` is not given: age alone decides here.
 */
export function topicConfig(spec: Omit<TopicSpec, "name" | "partitions" | "purpose">): Record<string, string> {
  return {
    "cleanup.policy": spec.cleanup,
    "message.timestamp.type": spec.timestampType,
    "max.message.bytes": String(spec.maxMessageBytes),
    "retention.ms": String(spec.retentionMs),
    "retention.bytes": "-1",
  };
}

export const DEFAULT_PARTITIONS = 10;
const MAX_MESSAGE_BYTES = 1_048_588;

function topic(name: string, purpose: string, options: Partial<TopicSpec> = {}): TopicSpec {
  return {
    name,
    purpose,
    partitions: DEFAULT_PARTITIONS,
    cleanup: "delete",
    retentionMs: 7 * DAY,
    timestampType: "CreateTime",
    maxMessageBytes: MAX_MESSAGE_BYTES,
    ...options,
  };
}

/** Every topic of Millrace, by its name in code. Derived topics have as many partitions as their input. */
export const topics = {
  imuData: topic("imu-data-all", "readings as devices sent them, and control records", {
    timestampType: "LogAppendTime",
  }),
  transformed: topic("sensor-data-transformed", "calibrated samples, magnitudes, gravity-free acceleration", {
    retentionMs: 1 * DAY,
  }),
  aggregated: topic("sensor-data-aggregated", "statistics per sensor and window"),
  late: topic("sensor-data-late", "readings that missed a window, verbatim", { retentionMs: 30 * DAY }),
  sessions: topic("new-session-topic", "sessions started and ended"),
  inference: topic("sensor-inference", "labels and probabilities per hop"),
  deadLetter: topic("dead-letter", "what could not be processed, verbatim, with its reason", { retentionMs: 30 * DAY }),
  trades: topic("market-trades", "market trades, and control records", { timestampType: "LogAppendTime" }),
  marketEnriched: topic("market-enriched", "trades with their amount in USD, flags and reference version"),
  marketAggregated: topic("market-aggregated", "bars per symbol and window"),
  marketPositions: topic("market-positions", "net position per symbol and account, after each trade"),
  marketAlerts: topic("market-alerts", "trades that broke a compliance rule", { retentionMs: 30 * DAY }),
  marketLate: topic("market-late", "trades that missed a window, verbatim", { retentionMs: 30 * DAY }),
  progress: topic("millrace-progress", "how far each task is", { cleanup: "compact", retentionMs: -1 }),
  changes: topic("millrace-changes", "the last change of each input by control records", {
    partitions: 1,
    cleanup: "compact",
    retentionMs: -1,
  }),
} as const satisfies Record<string, TopicSpec>;

export type TopicKey = keyof typeof topics;

/** Topic of the deployment checks alone: no program reads or writes it. */
export const checkTopic: TopicSpec = topic("millrace-check", "records of the deployment checks", {
  partitions: 1,
  retentionMs: DAY,
});

/** Header names of Kafka records. */
export const headers = {
  contentType: "content-type",
  ingestMs: "ingest-ms",
  traceparent: "traceparent",
  /** Kind of a control record, see `controlTypes`. */
  type: "type",
  errorCode: "error-code",
  errorMessage: "error-message",
  stage: "stage",
  sourceTopic: "source-topic",
  sourcePartition: "source-partition",
  sourceOffset: "source-offset",
  reinjectedFrom: "reinjected-from",
  /** On a dead letter that was cut: size and SHA-256 (hex) of the whole payload, and the MQTT topic that it came by. */
  fullSize: "full-size",
  fullSha256: "full-sha256",
  mqttTopic: "mqtt-topic",
  /** On a dead letter of the bridge, which has no source record: its id. */
  letterId: "letter-id",
  /** On a dead letter of the processor that was cut: which of value, headers and key. */
  cut: "cut",
} as const;

/** Kinds of control record: null key, null value. What else one says is in its headers. */
export const controlTypes = {
  tick: "tick",
  model: "model",
  settings: "settings",
  reference: "reference",
  erase: "erase",
} as const;

export type ControlType = (typeof controlTypes)[keyof typeof controlTypes];

/** Milliseconds between two ticks that the bridge appends to a partition. */
export const TICK_INTERVAL: Milliseconds = 1_000;

export const contentTypes = {
  json: "application/json",
  /** An IMU message in packed form, see docs/packed-format.md. */
  imuPacked: "application/x-millrace-imu",
  /** A transformed message as columns, see docs/packed-format.md. */
  columnsPacked: "application/x-millrace-columns",
} as const;
