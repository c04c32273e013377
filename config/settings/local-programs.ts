import { SECOND } from "../../domain/time.ts";
import { localPorts } from "../local.ts";
import { fraction, ports, text, whole } from "./setting.ts";
import { common, health, kafka, running } from "./shared.ts";

/** Settings of the programs that stand in for AWS services on one machine. */
export const localPrograms = {
  /** Local Firehose endpoint. */
  firehose: {
    ...common,
    port: whole("FIREHOSE_PORT", "port of the local Firehose endpoint", localPorts.firehose, 0, 65_535),
    lakeDir: text("LAKE_DIR", "folder of the lake", ".millrace/data/lake"),
    bufferMs: whole("FIREHOSE_BUFFER_MS", "age at which a buffer is written as Parquet, ms", 5 * SECOND, 10),
    bufferBytes: whole(
      "FIREHOSE_BUFFER_BYTES",
      "size at which a buffer is written as Parquet",
      32 * 1024 * 1024,
      1_024,
    ),
    faultRate: fraction(
      "FIREHOSE_FAULT_RATE",
      "share of records that are refused as the service does when it throttles; for tests",
      0,
    ),
    ...health,
  },
  /** Local Feature Store runtime endpoint. */
  features: {
    ...common,
    port: whole("FEATURES_PORT", "port of the local Feature Store endpoint", localPorts.features, 0, 65_535),
    dataDir: text("FEATURES_DIR", "folder of the local online store", ".millrace/data/features"),
    ...health,
  },
  /** Local event bus; the environment also holds the settings of `produce-trades`. */
  events: {
    ...common,
    port: whole("EVENTS_PORT", "port of the local EventBridge endpoint", localPorts.events, 0, 65_535),
    dataDir: text("EVENTS_DIR", "folder of the events that wait for the function", ".millrace/data/events"),
    journalBytes: whole(
      "EVENTS_JOURNAL_BYTES",
      "bytes of events that may wait for the function; above it, entries fail with ThrottlingException",
      256 * 1024 * 1024,
      1_024,
    ),
    onFailureDir: text("ON_FAILURE_DIR", "folder of the on-failure destinations", ".millrace/data/on-failure"),
    ...health,
  },
  /** Local event source mappings; the environment also holds the functions' settings. */
  eventSource: {
    ...common,
    ...kafka,
    ...running,
    onFailureDir: text("ON_FAILURE_DIR", "folder of the on-failure destinations", ".millrace/data/on-failure"),
    ...health,
  },
  /** Local API gateway and dashboard server; the environment also holds the functions' settings. */
  gateway: {
    ...common,
    ...running,
    port: whole("API_PORT", "port of REST, WebSocket and @connections", localPorts.api, 0, 65_535),
    dashboardPort: whole("DASHBOARD_PORT", "port of the dashboard; 0 for none", localPorts.dashboard, 0, 65_535),
    metricsPorts: ports("METRICS_PORTS", "ports of the programs whose GET /metrics the API's has"),
    mqttUrl: text("MQTT_URL", "where the page says that devices publish, as mqtt://host:port", "mqtt://127.0.0.1:1883"),
    statusPort: whole("STATUS_PORT", "port where npm start says how alarms and graphs stand; 0 for none", 0, 0, 65_535),
    ...health,
  },
} as const;
