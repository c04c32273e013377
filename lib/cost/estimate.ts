import type { Environment } from "../../config/schema.ts";
import type { Inventory } from "./inventory.ts";
import { prices, type PriceName } from "./prices.ts";

/** What arrives, and what is asked for. */
export interface Workload {
  readonly sensors: number;
  /** Readings a second and sensor. */
  readonly rateHz: number;
  /** Milliseconds of readings in one message. */
  readonly batchMs: number;
  /** Form of the messages: it decides how many bytes they have. */
  readonly format: "json" | "packed";
  /** WebSocket connections that are open all the time, each watching one sensor. */
  readonly viewers: number;
  /** REST requests a second, on average. */
  readonly requestsPerSecond: number;
}

export interface CostLine {
  readonly service: string;
  readonly what: string;
  readonly quantity: number;
  readonly price: PriceName;
  /** Dollars a month. */
  readonly dollars: number;
}

export const HOURS = 730;
const SECONDS = HOURS * 3_600;
const GB = 1_000_000_000;
const MILLION = 1_000_000;

/**
 * Bytes of the pieces. A packed reading is six float32 (docs/packed-format.md); the others were measured on the
 * simulator's output.
 */
export const sizes = {
  message: 60,
  jsonReading: 62,
  packedReading: 24,
  transformedReading: 88,
  window: 1_150,
  inference: 330,
  lakeRow: 1_300,
} as const;

/** What the estimate supposes beside the workload, in words. */
export const assumptions = [
  "a month has 730 hours; sensors send all the time; prices without free tiers, discounts and taxes",
  "IoT Core meters a QoS 1 message three times: published, delivered to the bridge, acknowledged by the bridge; each in units of 5 KB",
  "every topic is read by its consumers once: processor, live, lake, features, stores; topics keep what their retention says",
  "windows of one second: one window record a sensor and second, one inference a sensor and second",
  "the processor's tasks run at their least number, or at what the rate needs at 200,000 readings a second and task",
  "consumers take batches of 500 records in 200 ms of 1 GB; event pollers share one unit for every four mappings or 20 MB/s",
  "the lake's objects spend their first days in S3 Standard and then in Glacier Instant Retrieval; Parquet is a third of JSON; one month of data",
  "the document database runs at its least capacity plus 1 DCU for every 500 windows written a second",
  "snapshots: 4 KB a sensor every 10 s, compressed; logs: 1 GB a month and task; a WebSocket viewer gets 10 messages a second",
  "between zones and out to the internet nothing is counted but NAT",
] as const;

/** Estimates a month's bill, line by line. */
export function estimate(inventory: Inventory, config: Environment, load: Workload): CostLine[] {
  const lines: CostLine[] = [];
  const add = (service: string, what: string, price: PriceName, quantity: number): void => {
    if (quantity > 0) lines.push({ service, what, quantity, price, dollars: quantity * prices[price].dollars });
  };
  const readings = load.sensors * load.rateHz;
  const messages = load.sensors * (1_000 / load.batchMs);
  const messageBytes =
    sizes.message +
    ((load.rateHz * load.batchMs) / 1_000) * (load.format === "json" ? sizes.jsonReading : sizes.packedReading);
  const windows = load.sensors * (1_000 / config.semantics.slideMs);

  const metered = (3 * messages * SECONDS * Math.ceil(messageBytes / 5_120)) / MILLION;
  add("IoT Core", "messages, first billion", "iotMessagesFirstBillion", Math.min(metered, 1_000));
  add(
    "IoT Core",
    "messages, next four billion",
    "iotMessagesNextFourBillion",
    Math.min(Math.max(metered - 1_000, 0), 4_000),
  );
  add("IoT Core", "messages beyond", "iotMessagesBeyond", Math.max(metered - 5_000, 0));
  add("IoT Core", "connections", "iotConnection", ((load.sensors + inventory.mqttConnections) * HOURS * 60) / MILLION);

  const bytes = {
    input: messages * messageBytes,
    transformed: readings * sizes.transformedReading,
    windows: windows * sizes.window,
    inference: load.sensors * sizes.inference,
  };
  const total = Object.values(bytes).reduce((sum, value) => sum + value, 0);
  add("MSK Serverless", "cluster", "mskCluster", HOURS);
  add("MSK Serverless", "partitions", "mskPartition", inventory.partitions * HOURS);
  add("MSK Serverless", "written", "mskIn", (total * SECONDS) / GB);
  // Input: processor and lake. Transformed: live. Windows: live, lake, features, store. Inference: live and lake.
  add(
    "MSK Serverless",
    "read",
    "mskOut",
    ((2 * bytes.input + bytes.transformed + 4 * bytes.windows + 2 * bytes.inference) * SECONDS) / GB,
  );
  add(
    "MSK Serverless",
    "kept",
    "mskStorage",
    ((7 * (bytes.input + bytes.windows + bytes.inference) + bytes.transformed) * 86_400) / GB,
  );

  const { sensor } = config.processor;
  const extraTasks = sensor === null ? 0 : Math.max(0, Math.ceil(readings / 200_000) - sensor.minTasks);
  add("Fargate", "vCPUs", "fargateVcpu", (inventory.vcpus + extraTasks) * HOURS);
  add(
    "Fargate",
    "memory",
    "fargateMemory",
    (inventory.memoryGb + (extraTasks * (sensor?.memoryMiB ?? 0)) / 1_024) * HOURS,
  );

  const consumed = messages + 3 * windows + load.sensors;
  const invocations = (consumed / 500) * SECONDS;
  const consumedBytes = bytes.input + 3 * bytes.windows + bytes.inference;
  add("Lambda", "requests", "lambdaRequest", (invocations + load.requestsPerSecond * SECONDS) / MILLION);
  add("Lambda", "duration", "lambdaDuration", invocations * 0.2 + load.requestsPerSecond * SECONDS * 0.05 * 0.5);
  add(
    "Lambda",
    "event pollers",
    "lambdaPollerUnit",
    Math.max(Math.ceil(inventory.eventSourceMappings / 4), Math.ceil(consumedBytes / 20_000_000)) * HOURS,
  );

  const rows = [
    { perSecond: messages, bytes: messageBytes * 1.37 + 200 },
    { perSecond: windows, bytes: sizes.lakeRow },
    { perSecond: load.sensors, bytes: sizes.inference },
  ];
  const billed = rows.reduce((sum, row) => sum + row.perSecond * Math.ceil(row.bytes / 5_120) * 5_120, 0);
  const lakeBytes = rows.reduce((sum, row) => sum + row.perSecond * row.bytes, 0);
  add("Firehose", "ingested", "firehoseIngest", (billed * SECONDS) / GB);
  add("Firehose", "converted", "firehoseConversion", (lakeBytes * SECONDS) / GB);
  add("Firehose", "partitioned", "firehosePartitioning", (lakeBytes * SECONDS) / GB);
  const kept = (lakeBytes * SECONDS) / 3 / GB;
  const standard = Math.min(1, config.lake.glacierAfterDays / 30);
  add("S3", "lake, one month, standard", "s3Standard", kept * standard);
  add("S3", "lake, one month, archived", "s3Glacier", kept * (1 - standard));

  add("Feature Store", "writes", "featureWrite", (windows * SECONDS * Math.ceil(sizes.window / 1_000)) / MILLION);
  add(
    "DocumentDB",
    "capacity",
    "documentDcu",
    inventory.documentInstances * (inventory.documentMinDcu + windows / 500) * HOURS,
  );
  add("DocumentDB", "I/O", "documentIo", (windows * SECONDS) / MILLION);
  add("DocumentDB", "a day of windows", "documentStorage", (windows * 86_400 * sizes.window) / GB);
  add(
    "DynamoDB",
    "snapshots",
    "dynamoWrite",
    (load.sensors * 4 * (1_000 / config.processor.snapshotIntervalMs) * SECONDS) / 3 / MILLION,
  );
  add("DynamoDB", "kept", "dynamoStorage", (load.sensors * 4_000) / GB);

  add("API Gateway", "REST requests", "restRequest", (load.requestsPerSecond * SECONDS) / MILLION);
  add("API Gateway", "WebSocket messages", "webSocketMessage", (load.viewers * 10 * SECONDS) / MILLION);
  add("API Gateway", "WebSocket connections", "webSocketMinute", (load.viewers * HOURS * 60) / MILLION);
  add("WAF", "web ACL", "webAcl", inventory.webAcls);
  add("WAF", "rules", "webAclRule", inventory.webAclRules);

  add("Network", "NAT gateways", "natHour", inventory.natGateways * HOURS);
  // What the bridge receives and live sends goes through NAT, where there is one.
  add(
    "Network",
    "through NAT",
    "natData",
    inventory.natGateways > 0 ? ((bytes.input + load.viewers * 10 * 2_000) * SECONDS) / GB : 0,
  );
  add("Network", "public addresses", "publicAddress", inventory.publicTasks * HOURS);
  add("Network", "interface endpoints", "endpointHour", inventory.endpointZones * HOURS);
  add("Observability", "logs", "logsIngest", inventory.vcpus);
  add("Observability", "alarms", "alarm", inventory.alarms);
  add("Observability", "dashboards", "dashboard", inventory.dashboards);
  add("Keys and secrets", "keys", "key", inventory.keys);
  add("Keys and secrets", "secrets", "secret", inventory.secrets);
  return lines;
}
