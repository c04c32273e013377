import { featureGroups, type FeatureGroupKey } from "./features.ts";

/** Names that several programs share: consumer groups, stores, identifiers. */

/** Consumer groups of the programs; those of processors are in `pipelines`. */
export const consumerGroups = {
  live: "millrace-live-v2",
  rejectedNotices: "millrace-rejected-notices",
  writeLake: "millrace-write-lake",
  writeFeatures: "millrace-write-features",
  storeSessions: "millrace-store-sessions",
  storeWindows: "millrace-store-windows",
  storeDeadLetters: "millrace-store-dead-letters",
  auditOutput: "millrace-audit-output",
  storeMarket: "millrace-store-market",
} as const;

/** Group of the MQTT shared subscription. */
export const MQTT_SHARE_GROUP = "millrace-bridge";

/**
 * The name of an input topic's log in ids, task names and transactional ids. A log that was lost is never continued
 * under its name: the topic that is created anew holds the next generation.
 */
export function logName(topic: string, generation: number): string {
  return generation === 1 ? topic : `${topic}~${generation}`;
}

/** The generation in a log's name. */
export function generationOf(log: string): number {
  return Number(/~(\d+)$/.exec(log)?.[1] ?? 1);
}

/** The topic that a log is in. Kafka allows no `~` in a topic's name. */
export function topicOfLog(log: string): string {
  return log.replace(/~\d+$/, "");
}

/** Transactional id of the task that owns one input partition: its epoch is the fence. */
export function transactionalId(env: string, pipeline: string, log: string, partition: number): string {
  return `millrace.${env}.${pipeline}.${log}.${partition}`;
}

/** Key of a task's records in `millrace-progress` and of its snapshot manifest. */
export function taskKey(pipeline: string, log: string, partition: number): string {
  return `${pipeline}/${log}/${partition}`;
}

/** Field `alarm` of the log lines, one a minute, of a partition that has stopped or can't run. An alarm counts them. */
export const PARTITION_STOPPED = "partition-stopped";

/** MongoDB / DocumentDB collections. */
export const collections = {
  sessions: "sessions",
  windows: "windows",
  sensors: "sensors",
  sessionDays: "session-days",
  sessionTimes: "session-times",
  newest: "newest",
  deadLetters: "dead-letters",
  rejected: "rejected",
  bars: "bars",
  positions: "positions",
  alerts: "alerts",
  symbols: "symbols",
  runs: "runs",
} as const;

/** What a run of `backfill` fills collections of its own for, and readers are switched to. */
const collectionsOfRuns: ReadonlySet<string> = new Set([
  collections.sessions,
  collections.windows,
  collections.sensors,
  collections.sessionDays,
  collections.sessionTimes,
]);

/** A run's own collection beside a live one, such as `windows~NAME`; the live one where runs have none. */
export function collectionOfRun(collection: string, run: string): string {
  return collectionsOfRuns.has(collection) ? `${collection}~${run}` : collection;
}

/** The collections of a run. */
export function collectionsOfRun(run: string): string[] {
  return [...collectionsOfRuns].map((collection) => collectionOfRun(collection, run));
}

/** DynamoDB tables. An environment's table is named `millrace-<env>-<name>`. */
export const dynamoTables = {
  checkpoints: "checkpoints",
  connections: "connections",
  tickets: "tickets",
  devices: "devices",
} as const;
export function dynamoTableName(env: string, table: keyof typeof dynamoTables): string {
  return `millrace-${env}-${dynamoTables[table]}`;
}

/** Firehose delivery stream of a lake table. A table that one stream is too slow for has several, from 1 on. */
export function deliveryStreamName(env: string, table: string, number = 1): string {
  return `millrace-${env}-${table}${number === 1 ? "" : `-${number}`}`;
}

/** An environment's feature group. */
export function featureGroupName(env: string, group: FeatureGroupKey): string {
  return `millrace-${env}-${featureGroups[group].name}`;
}

/**
 * Attributes of the checkpoints table: its partition key (a string; there is no sort key), and the TTL that removes
 * orphaned segments.
 */
export const checkpointAttributes = { key: "id", ttl: "expiresAt" } as const;

/** Partition key (a string; there are no sort keys) and TTL attribute (epoch seconds) of each DynamoDB table. */
export const dynamoAttributes = {
  checkpoints: checkpointAttributes,
  connections: { key: "connectionId", ttl: "expiresAt" },
  tickets: { key: "ticketKey", ttl: "expiresAt" },
  devices: { key: "serialNumber" },
} as const satisfies Record<keyof typeof dynamoTables, { readonly key: string; readonly ttl?: string }>;

/** Consumer group of the deployment checks. */
export const CHECK_GROUP = "millrace-check";
