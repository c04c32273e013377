import { consumerGroups } from "./names.ts";
import { pipelineNames, pipelines, type OfPipeline } from "./pipelines.ts";
import { tables, type TableSpec } from "./tables.ts";
import { SECOND, type Milliseconds } from "./time.ts";
import { topics } from "./topics.ts";

/**
 * A Kafka event source mapping of a Lambda function, as AWS has it: one topic, a consumer group of its own. CDK makes
 * the mappings of an environment from this table, and the local event source runs the same ones.
 */
export interface EventSourceMapping extends OfPipeline {
  /** Folder of the function: `lambda/<functionName>/handler.ts`. */
  readonly functionName: string;
  readonly topic: string;
  /** Unique among all mappings, as Lambda demands. */
  readonly consumerGroup: string;
  /** Records of one invocation, at most; an event also stays under 6 MB. */
  readonly batchSize: number;
  /** How long records are gathered before the function is invoked; Lambda takes half a second or whole seconds. */
  readonly batchingWindowMs: Milliseconds;
  /** Retries after the first attempt; then the records go to the on-failure destination. */
  readonly maximumRetryAttempts: number;
  /** Age (of the record's timestamp) beyond which a failed record is not tried again; -1 for none. */
  readonly maximumRecordAgeMs: Milliseconds;
  /** A batch that failed as a whole is split in two, to isolate the record that the function can't take. */
  readonly bisectBatchOnError: boolean;
}

/** Values shared by all mappings; partial failures are reported by `ReportBatchItemFailures`. */
const defaults = {
  batchSize: 1_000,
  batchingWindowMs: 0.5 * SECOND,
  // With back-off up to 30 s: an outage of minutes passes before anything is given up.
  maximumRetryAttempts: 20,
  maximumRecordAgeMs: -1,
  bisectBatchOnError: true,
} as const;

/** Nobody waits for these: an event may be as large as Lambda allows, 10,000 records or 6 MB. */
const patient = { ...defaults, batchSize: 10_000 } as const;

/** Firehose gathers for minutes afterwards, and locally for seconds. */
const lake = { ...patient, batchingWindowMs: 5 * SECOND } as const;

/** Of two windows of a sensor in one event only the newer is written, so two seconds halve the bill of one a second. */
const features = { ...patient, batchingWindowMs: 2 * SECOND } as const;

/** As often as it writes its metrics. */
const audit = { ...patient, batchingWindowMs: 10 * SECOND } as const;

const lakeSources = Object.values<TableSpec>(tables).flatMap(({ sources, pipeline }) =>
  sources.map((topic) => ({ topic, ...(pipeline === undefined ? {} : { pipeline }) })),
);

/** What a pipeline writes for its readers: not the transformed readings, which would be most of what is audited. */
const auditedTopics = pipelineNames.flatMap((pipeline) =>
  pipelines[pipeline].outputs
    .filter((key) => key !== "transformed")
    .map((key) => ({ pipeline, topic: topics[key].name })),
);

export const eventSourceMappings: readonly EventSourceMapping[] = [
  {
    ...defaults,
    functionName: "store-sessions",
    topic: topics.sessions.name,
    consumerGroup: consumerGroups.storeSessions,
  },
  {
    ...defaults,
    functionName: "store-windows",
    topic: topics.aggregated.name,
    consumerGroup: consumerGroups.storeWindows,
    // A document has a minute of windows and is written anew with each batch.
    batchingWindowMs: 2 * SECOND,
  },
  {
    ...defaults,
    functionName: "store-windows",
    topic: topics.inference.name,
    consumerGroup: `${consumerGroups.storeWindows}.${topics.inference.name}`,
    // A document has a minute of inferences and is written anew with each batch.
    batchingWindowMs: 5 * SECOND,
  },
  {
    ...defaults,
    functionName: "store-dead-letters",
    topic: topics.deadLetter.name,
    consumerGroup: consumerGroups.storeDeadLetters,
  },
  {
    ...features,
    functionName: "write-features",
    topic: topics.aggregated.name,
    consumerGroup: consumerGroups.writeFeatures,
  },
  {
    ...features,
    pipeline: "market",
    functionName: "write-features",
    topic: topics.marketAggregated.name,
    consumerGroup: `${consumerGroups.writeFeatures}.${topics.marketAggregated.name}`,
  },
  ...[topics.marketAggregated, topics.marketPositions, topics.marketAlerts].map(({ name }): EventSourceMapping => ({
    ...defaults,
    pipeline: "market",
    functionName: "store-market",
    topic: name,
    consumerGroup: `${consumerGroups.storeMarket}.${name}`,
  })),
  ...lakeSources.map((source): EventSourceMapping => ({
    ...lake,
    ...source,
    functionName: "write-lake",
    consumerGroup: `${consumerGroups.writeLake}.${source.topic}`,
  })),
  ...auditedTopics.map((source): EventSourceMapping => ({
    ...audit,
    ...source,
    functionName: "audit-output",
    consumerGroup: `${consumerGroups.auditOutput}.${source.topic}`,
  })),
];

/**
 * The queue behind the rule of the market's event bus, and how Lambda takes trades from it. CDK makes the queue of an
 * environment from this, and the local event bus works the same way. Partial failures are reported.
 */
export const tradeQueue = {
  functionName: "produce-trades",
  /** Messages of one invocation, at most. Above 10, Lambda demands a window of a second. */
  batchSize: 1_000,
  batchingWindowMs: 1 * SECOND,
  /** Invocations at a time: each has connections to Kafka of its own. */
  maximumConcurrency: 5,
  /** How often a message is delivered before it goes to the dead-letter queue. */
  maxReceiveCount: 20,
} as const;

/** Bytes of an invocation's payload, at most (Lambda's synchronous limit). */
export const MAX_EVENT_BYTES = 6 * 1024 * 1024;
