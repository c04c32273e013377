import type { Environment } from "../../config/schema.ts";
import { deliveryLimits } from "../../domain/delivery-processors.ts";
import { tradeQueue } from "../../domain/event-source-mappings.ts";
import { barWindows } from "../../domain/market.ts";
import { functions, type FunctionName } from "../../domain/routes.ts";
import { topics } from "../../domain/topics.ts";
import { consumersOf, newestOnly, type Consumer } from "./consumers.ts";
import { FREE_DISK_GB, type Inventory } from "./inventory.ts";
import { customMetrics, metricsBytesPerSecond } from "./metrics.ts";
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
/** Seconds of an invocation that a batch costs, and each of its records. */
const INVOCATION_SECONDS = 0.02;
const RECORD_SECONDS = 0.000_4;
/** Seconds that jq takes to read a row's partition. */
const JQ_SECONDS = 0.001;

/** How long a run of compaction takes, from the start of its task. */
const COMPACTION_HOURS = 3 / 60;
/** Requests of a run for each table. */
const COMPACTION_REQUESTS = 6;

/** What the lines are computed from. */
interface Basis {
  readonly config: Environment;
  readonly inventory: Inventory;
  readonly load: Workload;
  readonly flow: Flow;
  readonly consumers: readonly Consumer[];
}

type Item = readonly [what: string, price: PriceName, quantity: number];

const services: Readonly<Record<string, (basis: Basis) => readonly Item[]>> = {
  "IoT Core": iotCore,
  EventBridge: eventBus,
  SQS: queue,
  "MSK Serverless": kafka,
  Fargate: fargate,
  Lambda: lambda,
  Firehose: firehose,
  S3: lake,
  "Lake's small files": compaction,
  "Feature Store": features,
  DocumentDB: documents,
  DynamoDB: snapshots,
  "API Gateway": ({ load: { requestsPerSecond, viewers } }) => [
    ["REST requests", "restRequest", (requestsPerSecond * SECONDS) / MILLION],
    ["WebSocket messages", "webSocketMessage", (viewers * 10 * SECONDS) / MILLION],
    ["WebSocket connections", "webSocketMinute", (viewers * HOURS * 60) / MILLION],
  ],
  Cognito: ({ inventory: { userPools }, load: { users } }) => [["users who sign in", "activeUser", userPools * users]],
  WAF: ({ inventory: { webAcls, webAclRules } }) => [
    ["web ACL", "webAcl", webAcls],
    ["rules", "webAclRule", webAclRules],
  ],
  Network: network,
  Observability: ({ inventory: { tasks, vcpus, alarmMetrics, compositeAlarms, dashboards } }) => [
    ["logs", "logsIngest", vcpus],
    ["metrics", "customMetric", customMetrics],
    ["metrics in the logs", "logsIngest", (tasks * metricsBytesPerSecond * SECONDS) / GB],
    ["alarms", "alarm", alarmMetrics],
    ["composite alarms", "compositeAlarm", compositeAlarms],
    ["dashboards", "dashboard", dashboards],
  ],
  "Keys and secrets": ({ inventory: { keys, secrets } }) => [
    ["keys", "key", keys],
    ["secrets", "secret", secrets],
  ],
};

/** Estimates a month's bill, line by line. What `assumptions` says holds for all of them. */
export function estimate(inventory: Inventory, config: Environment, load: Workload): CostLine[] {
  const flow = flowOf(load, config);
  const basis: Basis = { config, inventory, load, flow, consumers: consumersOf(config, load, flow) };
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

function eventBus({ config, flow: { trades } }: Basis): Item[] {
  const bytes = trades * sizes.tradeEvent;
  return [
    ["trades", "busEvent", (trades * SECONDS) / MILLION],
    ["archived", "archiveProcessing", (bytes * SECONDS) / GB],
    ["kept in the archive", "archiveStorage", (bytes * DAY_SECONDS * config.market.archiveDays) / GB],
  ];
}

/** A trade is sent alone, received and deleted in tens; Lambda's five pollers ask an empty queue every 20 s. */
function queue({ config, flow: { trades } }: Basis): Item[] {
  const polls = config.processor.market === null ? 0 : (5 / 20) * SECONDS;
  return [["requests", "queueRequest", (1.2 * trades * SECONDS + polls) / MILLION]];
}

function kafka({ flow: { bytes }, inventory: { partitions } }: Basis): Item[] {
  const written = Object.values(bytes).reduce((sum, value) => sum + value, 0);
  // Input: processor and lake. Transformed: live. Windows: live, lake, features, store, audit. Inference: live, lake,
  // audit.
  const sensors = 2 * bytes.input + bytes.transformed + 5 * bytes.windows + 3 * bytes.inference;
  // Trades: processor and lake. Enriched: live and audit. Bars: live, lake, features, store, audit. Positions: store
  // and audit.
  const market = 2 * bytes.trades + 2 * bytes.enriched + 5 * bytes.bars + 2 * bytes.positions;
  const read = sensors + market;
  // Transformed samples are kept for a day, the others for a week.
  const kept = 7 * (written - bytes.transformed) + bytes.transformed;
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

/** A task in each hour: for each table it lists two days, and writes a note and a joined file of one hour. */
function compaction({ inventory: { hourlyTask, deliveryStreams } }: Basis): Item[] {
  const hours = HOURS * COMPACTION_HOURS;
  return [
    ["vCPUs", "fargateVcpu", hourlyTask.vcpus * hours],
    ["memory", "fargateMemory", hourlyTask.memoryGb * hours],
    ["disk", "fargateStorage", (hourlyTask.diskGb - FREE_DISK_GB) * hours],
    ["requests", "s3Request", (HOURS * deliveryStreams * COMPACTION_REQUESTS) / 1_000],
  ];
}

function lambda({ load, flow: { trades }, consumers, inventory: { eventSourceMappings } }: Basis): Item[] {
  // A batch of the queue is a second of trades, or a thousand.
  const appends = Math.min(trades, 1 + trades / tradeQueue.batchSize);
  const called = [
    ...consumers.map(({ mapping: { functionName }, invocations, records }) => ({ functionName, invocations, records })),
    { functionName: tradeQueue.functionName, invocations: appends, records: trades },
  ];
  const invocations = called.reduce((sum, one) => sum + one.invocations, 0) * SECONDS;
  const gbSeconds = called.reduce(
    (sum, one) =>
      sum +
      (INVOCATION_SECONDS * one.invocations + RECORD_SECONDS * one.records) *
        memoryGb(one.functionName as FunctionName),
    0,
  );
  const requests = load.requestsPerSecond * SECONDS;
  const pollers = consumers.reduce((sum, { pollers: ofOne }) => sum + ofOne - 1, eventSourceMappings);
  return [
    ["requests", "lambdaRequest", (invocations + requests) / MILLION],
    // A request takes 50 ms of half a GB.
    ["duration", "lambdaDuration", gbSeconds * SECONDS + requests * 0.05 * 0.5],
    ["event pollers", "lambdaPollerUnit", Math.ceil(pollers / 4) * HOURS],
  ];
}

const memoryGb = (name: FunctionName): number => functions[name].memoryMb / 1_024;

function features({ load, flow: { windows, bars }, consumers }: Basis): Item[] {
  const written = (topic: string, keys: number, perSecond: number): number =>
    consumers
      .filter(({ mapping }) => mapping.functionName === "write-features" && mapping.topic === topic)
      .reduce((sum, consumer) => sum + newestOnly(consumer, keys, perSecond / keys), 0);
  const units =
    written(topics.aggregated.name, load.sensors, windows) * Math.ceil(sizes.window / 1_000) +
    written(topics.marketAggregated.name, load.symbols * barWindows.length, bars);
  return [["writes", "featureWrite", (units * SECONDS) / MILLION]];
}

/** Rows of a table of the lake. */
interface LakeRows {
  readonly perSecond: number;
  /** Of one row. */
  readonly bytes: number;
  /** Rows that come together. */
  readonly ofEvent: number;
}

/** Logs are rows with their records in base64; the other rows are about as long as their records. */
function lakeRows({ consumers }: Basis): LakeRows[] {
  const rowBytes = ({ mapping: { topic }, records, bytes }: Consumer): number =>
    topic === topics.imuData.name || topic === topics.trades.name
      ? (bytes / records) * 1.37 + 200
      : topic === topics.aggregated.name
        ? sizes.lakeRow
        : bytes / records;
  return consumers
    .filter(({ mapping }) => mapping.functionName === "write-lake")
    .map((consumer) => ({
      perSecond: consumer.records,
      bytes: rowBytes(consumer),
      ofEvent: consumer.records / consumer.invocations,
    }));
}

/** Bytes that Firehose bills for the rows of an event, which are packed into as few records as may be. */
function billedBytes({ bytes, ofEvent }: LakeRows): number {
  const most = Math.min(deliveryLimits.recordRows, Math.floor(deliveryLimits.recordBytes / bytes));
  const full = Math.floor(ofEvent / most);
  const units = (rows: number): number => Math.ceil((rows * bytes) / UNIT_BYTES);
  return (full * units(most) + units(ofEvent - full * most)) * UNIT_BYTES;
}

function firehose(basis: Basis): Item[] {
  const rows = lakeRows(basis);
  const billed = rows.reduce((sum, ofTable) => sum + (ofTable.perSecond / ofTable.ofEvent) * billedBytes(ofTable), 0);
  const written = rows.reduce((sum, { perSecond, bytes }) => sum + perSecond * bytes, 0);
  const perSecond = rows.reduce((sum, ofTable) => sum + ofTable.perSecond, 0);
  return [
    ["ingested", "firehoseIngest", (billed * SECONDS) / GB],
    ["converted", "firehoseConversion", (billed * SECONDS) / GB],
    ["partitioned", "firehosePartitioning", (written * SECONDS) / GB],
    ["partitions read by jq", "firehoseJq", perSecond * JQ_SECONDS * HOURS],
  ];
}

function lake(basis: Basis): Item[] {
  const written = lakeRows(basis).reduce((sum, { perSecond, bytes }) => sum + perSecond * bytes, 0);
  const kept = (written * SECONDS) / 3 / GB;
  const { glacierAfterDays } = basis.config.lake;
  const standard = glacierAfterDays === null ? 1 : Math.min(1, glacierAfterDays / 30);
  return [
    ["lake, one month, standard", "s3Standard", kept * standard],
    ["lake, one month, archived", "s3Glacier", kept * (1 - standard)],
  ];
}

function documents({
  flow: { windows, trades, bars },
  inventory: { documentInstances, documentMinDcu },
}: Basis): Item[] {
  return [
    ["capacity", "documentDcu", documentInstances * (documentMinDcu + (windows + trades + bars) / 500) * HOURS],
    ["I/O", "documentIo", ((windows + trades + bars) * SECONDS) / MILLION],
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
