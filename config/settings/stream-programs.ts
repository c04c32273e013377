import { SECOND } from "../../domain/time.ts";
import { semantics } from "./semantics.ts";
import { choice, optionalText, text, whole } from "./setting.ts";
import { checkpoints, common, connections, dynamodb, health, kafka, pipeline } from "./shared.ts";

/** Settings of the programs that move the stream. */
export const streamPrograms = {
  bridge: {
    ...common,
    ...kafka,
    mqttUrl: text("MQTT_URL", "mqtt://host:port, or wss://… for IoT Core with IAM", "mqtt://127.0.0.1:1883"),
    mqttClients: whole("MQTT_CLIENTS", "MQTT connections in the shared group", 2, 1, 1_000),
    mqttClientId: text("MQTT_CLIENT_ID", "stable prefix of the client ids", "millrace-bridge"),
    ...health,
  },
  /** What the command line of the simulator does not say. */
  simulator: {
    ...common,
    mqttUrl: text("MQTT_URL", "mqtt://host:port of the broker", "mqtt://127.0.0.1:1883"),
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
    commitIntervalMs: whole("COMMIT_INTERVAL_MS", "time between two commits, ms", 100, 1),
    snapshotIntervalMs: whole("SNAPSHOT_INTERVAL_MS", "time between two snapshots, ms", 10 * SECOND, 100),
    modelSource: optionalText("MODEL_SOURCE", "folder or s3:// prefix of models"),
    ...health,
  },
  /** What the command line of a replay does not say. */
  replay: { ...common, ...pipeline },
  live: {
    ...common,
    ...kafka,
    ...connections,
    sessionGapMs: semantics.sessionGapMs,
    websocketEndpoint: text("WEBSOCKET_ENDPOINT", "endpoint of the @connections API", "http://127.0.0.1:8000"),
    ...health,
  },
} as const;
