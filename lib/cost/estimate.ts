import type { Environment } from "../../config/schema.ts";
import type { Inventory } from "./inventory.ts";
import { prices, type PriceName } from "./prices.ts";
import { flowOf, sizes, type Flow, type Workload } from "./workload.ts";

export interface CostLine {
  readonly service: string;
  readonly what: string;
  /** In the price's unit, a month. */
  readonly quantity: number;
  readonly price: PriceName;
  /** Dollars a month. */
  readonly dollars: number;
}

/** Hours of a month. */
export const HOURS = 730;
const SECONDS = HOURS * 3_600;
const DAY_SECONDS = 86_400;
const GB = 1_000_000_000;
const MILLION = 1_000_000;
/** IoT Core and Firehose bill in units of this many bytes. */
const UNIT_BYTES = 5_120;

/** What the lines are computed from. */
interface Basis {
  readonly config: Environment;
  readonly inventory: Inventory;
  readonly load: Workload;
  readonly flow: Flow;
}

type Item = readonly [what: string, price: PriceName, quantity: number];

const services: Readonly<Record<string, (basis: Basis) => readonly Item[]>> = {
  "IoT Core": iotCore,
  "MSK Serverless": kafka,
  Fargate: fargate,
  Lambda: lambda,
  Firehose: firehose,
  S3: lake,
  "Feature Store": ({ flow: { windows } }) => [
    ["writes", "featureWrite", (windows * SECONDS * Math.ceil(sizes.window / 1_000)) / MILLION],
  ],
  DocumentDB: documents,
  DynamoDB: snapshots,
  "API Gateway": ({ load: { requestsPerSecond, viewers } }) => [
    ["REST requests", "restRequest", (requestsPerSecond * SECONDS) / MILLION],
    ["WebSocket messages", "webSocketMessage", (viewers * 10 * SECONDS) / MILLION],
    ["WebSocket connections", "webSocketMinute", (viewers * HOURS * 60) / MILLION],
  ],
  WAF: ({ inventory: { webAcls, webAclRules } }) => [
    ["web ACL", "webAcl", webAcls],
    ["rules", "webAclRule", webAclRules],
  ],
  Network: network,
  Observability: ({ inventory: { vcpus, alarms, dashboards } }) => [
    ["logs", "logsIngest", vcpus],
    ["alarms", "alarm", alarms],
    ["dashboards", "dashboard", dashboards],
  ],
  "Keys and secrets": ({ inventory: { keys, secrets } }) => [
    ["keys", "key", keys],
    ["secrets", "secret", secrets],
  ],
};

/** Estimates a month's bill, line by line. What `assumptions` says holds for all of them. */
export function estimate(inventory: Inventory, config: Environment, load: Workload): CostLine[] {
  const basis: Basis = { config, inventory, load, flow: flowOf(load, config) };
  return Object.entries(services).flatMap(([service, itemsOf]) =>
    itemsOf(basis)
      .filter(([, , quantity]) => quantity > 0)
      .map(([what, price, quantity]) => ({
        service,
        what,
        quantity,
        price,
        dollars: quantity * prices[price].dollars,
      })),
  );
}

/** Dollars a month of some lines of an estimate. */
export function totalDollars(lines: readonly Pick<CostLine, "dollars">[]): number {
  return lines.reduce((sum, { dollars }) => sum + dollars, 0);
}

function iotCore({ load, flow: { messages, messageBytes }, inventory: { mqttConnections } }: Basis): Item[] {
  const metered = (3 * messages * SECONDS * Math.ceil(messageBytes / UNIT_BYTES)) / MILLION;
  return [
    ["messages, first billion", "iotMessagesFirstBillion", Math.min(metered, 1_000)],
    ["messages, next four billion", "iotMessagesNextFourBillion", Math.min(Math.max(metered - 1_000, 0), 4_000)],
    ["messages beyond", "iotMessagesBeyond", Math.max(metered - 5_000, 0)],
    ["connections", "iotConnection", ((load.sensors + mqttConnections) * HOURS * 60) / MILLION],
  ];
}

function kafka({ flow: { bytes }, inventory: { partitions } }: Basis): Item[] {
  const written = Object.values(bytes).reduce((sum, value) => sum + value, 0);
  // Input: processor and lake. Transformed: live. Windows: live, lake, features, store. Inference: live and lake.
  const read = 2 * bytes.input + bytes.transformed + 4 * bytes.windows + 2 * bytes.inference;
  // Transformed samples are kept for a day, the others for a week.
  const kept = 7 * (bytes.input + bytes.windows + bytes.inference) + bytes.transformed;
  return [
    ["cluster", "mskCluster", HOURS],
    ["partitions", "mskPartition", partitions * HOURS],
    ["written", "mskIn", (written * SECONDS) / GB],
    ["read", "mskOut", (read * SECONDS) / GB],
    ["kept", "mskStorage", (kept * DAY_SECONDS) / GB],
  ];
}

function fargate({ config, flow: { readings }, inventory }: Basis): Item[] {
  const { sensor } = config.processor;
  const extraTasks = sensor === null ? 0 : Math.max(0, Math.ceil(readings / 200_000) - sensor.minTasks);
  const extraGb = (extraTasks * (sensor?.memoryMiB ?? 0)) / 1_024;
  return [
    ["vCPUs", "fargateVcpu", (inventory.vcpus + extraTasks) * HOURS],
    ["memory", "fargateMemory", (inventory.memoryGb + extraGb) * HOURS],
  ];
}

function lambda({ load, flow: { messages, windows, bytes }, inventory: { eventSourceMappings } }: Basis): Item[] {
  // Windows go to the lake, the store, the features and the audit; inferences to the lake and the audit.
  const consumed = messages + 4 * windows + 2 * load.sensors;
  const consumedBytes = bytes.input + 4 * bytes.windows + 2 * bytes.inference;
  const invocations = (consumed / 500) * SECONDS;
  const requests = load.requestsPerSecond * SECONDS;
  const pollerUnits = Math.max(Math.ceil(eventSourceMappings / 4), Math.ceil(consumedBytes / 20_000_000));
  return [
    ["requests", "lambdaRequest", (invocations + requests) / MILLION],
    // A batch takes 200 ms of 1 GB, a request 50 ms of half a GB.
    ["duration", "lambdaDuration", invocations * 0.2 + requests * 0.05 * 0.5],
    ["event pollers", "lambdaPollerUnit", pollerUnits * HOURS],
  ];
}

/** The lake's rows a second and their bytes: raw messages (base64 and their columns), windows, inferences. */
function lakeRows({ load, flow: { messages, messageBytes, windows } }: Basis): { perSecond: number; bytes: number }[] {
  return [
    { perSecond: messages, bytes: messageBytes * 1.37 + 200 },
    { perSecond: windows, bytes: sizes.lakeRow },
    { perSecond: load.sensors, bytes: sizes.inference },
  ];
}

function firehose(basis: Basis): Item[] {
  const rows = lakeRows(basis);
  const billed = rows.reduce(
    (sum, { perSecond, bytes }) => sum + perSecond * Math.ceil(bytes / UNIT_BYTES) * UNIT_BYTES,
    0,
  );
  const written = rows.reduce((sum, { perSecond, bytes }) => sum + perSecond * bytes, 0);
  return [
    ["ingested", "firehoseIngest", (billed * SECONDS) / GB],
    ["converted", "firehoseConversion", (written * SECONDS) / GB],
    ["partitioned", "firehosePartitioning", (written * SECONDS) / GB],
  ];
}

function lake(basis: Basis): Item[] {
  const written = lakeRows(basis).reduce((sum, { perSecond, bytes }) => sum + perSecond * bytes, 0);
  const kept = (written * SECONDS) / 3 / GB;
  const standard = Math.min(1, basis.config.lake.glacierAfterDays / 30);
  return [
    ["lake, one month, standard", "s3Standard", kept * standard],
    ["lake, one month, archived", "s3Glacier", kept * (1 - standard)],
  ];
}

function documents({ flow: { windows }, inventory: { documentInstances, documentMinDcu } }: Basis): Item[] {
  return [
    ["capacity", "documentDcu", documentInstances * (documentMinDcu + windows / 500) * HOURS],
    ["I/O", "documentIo", (windows * SECONDS) / MILLION],
    ["a day of windows", "documentStorage", (windows * DAY_SECONDS * sizes.window) / GB],
  ];
}

function snapshots({ config, load: { sensors } }: Basis): Item[] {
  const perSecond = sensors * 4 * (1_000 / config.processor.snapshotIntervalMs);
  return [
    ["snapshots", "dynamoWrite", (perSecond * SECONDS) / 3 / MILLION],
    ["kept", "dynamoStorage", (sensors * 4_000) / GB],
  ];
}

function network({ load, flow: { bytes }, inventory }: Basis): Item[] {
  // The bridge receives through NAT and live sends through it, where there is one.
  const through = inventory.natGateways > 0 ? bytes.input + load.viewers * 10 * 2_000 : 0;
  return [
    ["NAT gateways", "natHour", inventory.natGateways * HOURS],
    ["through NAT", "natData", (through * SECONDS) / GB],
    ["public addresses", "publicAddress", inventory.publicTasks * HOURS],
    ["interface endpoints", "endpointHour", inventory.endpointZones * HOURS],
  ];
}
