import { MQTT_SHARE_GROUP } from "../../domain/names.ts";
import { SECOND } from "../../domain/time.ts";
import { LOOPBACK, localPorts } from "../local.ts";
import { semantics } from "./semantics.ts";
import { choice, optionalText, text, whole } from "./setting.ts";
import {
  checkpoints,
  common,
  connections,
  dynamodb,
  health,
  kafka,
  logGeneration,
  metricsLog,
  pipeline,
  running,
} from "./shared.ts";

/** Settings of the programs that move the stream. */
export const streamPrograms = {
  bridge: {
    ...common,
    ...kafka,
    mqttUrl: text("MQTT_URL", "mqtt://host:port, or wss://… for IoT Core with IAM", "mqtt://127.0.0.1:1883"),
    mqttClients: whole("MQTT_CLIENTS", "MQTT connections in the shared group", 2, 1, 1_000),
    mqttReceiveMaximum: whole(
      "MQTT_RECEIVE_MAXIMUM",
      "unacknowledged messages of one connection, at most; IoT Core's limit is 100",
      100,
      1,
      65_535,
    ),
    waitingBytes: whole("WAITING_BYTES", "bytes of messages that wait for Kafka, at most", 64 * 2 ** 20, 2 ** 20),
    mqttClientId: text("MQTT_CLIENT_ID", "stable prefix of the client ids", "millrace-bridge"),
    mqttSessionsKept: whole(
      "MQTT_SESSIONS_KEPT",
      "connections, from the first, that stay in the group while the bridge is stopped; at least one of a group",
      1,
      0,
      1_000,
    ),
    mqttPrefix: optionalText("MQTT_PREFIX", "what the environment's topics begin with, without the slash behind it"),
    mqttShareGroup: text(
      "MQTT_SHARE_GROUP",
      "group of the shared subscription; bridges of one group share the messages",
      MQTT_SHARE_GROUP,
    ),
    ...running,
    ...metricsLog,
    ...health,
  },
  /** What the command line of the simulator does not say. */
  simulator: {
    ...common,
    mqttUrl: text("MQTT_URL", "mqtt://host:port of the broker", "mqtt://127.0.0.1:1883"),
    eventsEndpoint: text(
      "EVENTS_ENDPOINT",
      "EventBridge endpoint that the simulated market puts trades to",
      `http://${LOOPBACK}:${localPorts.events}`,
    ),
    ...health,
  },
  processor: {
    ...common,
    ...kafka,
    ...dynamodb,
    ...semantics,
    ...pipeline,
    ...checkpoints,
    delivery: choice(
      "DELIVERY",
      "Kafka transactions, or idempotent writes where there are none",
      ["transactional", "idempotent"],
      "transactional",
    ),
    logGeneration,
    commitIntervalMs: whole("COMMIT_INTERVAL_MS", "least time between two commits of a task, ms", 100, 1),
    transactionsPerSecond: whole(
      "TRANSACTIONS_PER_SECOND",
      "Kafka transactions a second of all tasks of the process; each task has at least one a second",
      20,
      1,
    ),
    transactionTimeoutMs: whole(
      "TRANSACTION_TIMEOUT_MS",
      "time after which the broker aborts an open transaction, ms; a batch is cut at a quarter of it",
      15 * SECOND,
      1_000,
      900_000,
    ),
    maxUnsentOutputs: whole(
      "MAX_UNSENT_OUTPUTS",
      "outputs of a task that may wait for a transaction; above it, the task reads no more",
      20_000,
      1,
    ),
    maxUnsentBytes: whole("MAX_UNSENT_BYTES", "their bytes, likewise", 8_000_000, 1),
    maxProcessUnsentBytes: whole(
      "MAX_PROCESS_UNSENT_BYTES",
      "bytes of waiting outputs of all tasks of the process, likewise",
      64_000_000,
      1,
    ),
    maxDeathsInStep: whole(
      "MAX_DEATHS_IN_STEP",
      "how often the process may die in the step of a record before its partition stops",
      3,
      1,
      1_000,
    ),
    snapshotIntervalMs: whole("SNAPSHOT_INTERVAL_MS", "time between two snapshots, ms", 10 * SECOND, 100),
    keptSegmentBytes: whole(
      "KEPT_SEGMENT_BYTES",
      "bytes of snapshots kept in memory, so that a state can be built again while the table is away",
      16_000_000,
      0,
    ),
    modelSource: optionalText("MODEL_SOURCE", "folder or s3:// prefix of models"),
    ...metricsLog,
    ...health,
  },
  /** What the command line of a replay does not say. */
  replay: { ...common, ...pipeline, logGeneration },
  dump: { ...common, ...kafka, logGeneration },
  erase: {
    ...common,
    lakeBufferMs: whole(
      "LAKE_BUFFER_MS",
      "how long Firehose keeps a row at most, before it is in the lake, ms",
      12 * SECOND,
    ),
  },
  live: {
    ...common,
    ...kafka,
    ...connections,
    ...running,
    sessionGapMs: semantics.sessionGapMs,
    websocketEndpoint: text("WEBSOCKET_ENDPOINT", "endpoint of the @connections API", "http://127.0.0.1:8000"),
    ...metricsLog,
    ...health,
  },
} as const;
