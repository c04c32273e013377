import { runningPipelineNames, runningPipelines } from "../../config/pipelines.ts";
import type { Environment } from "../../config/schema.ts";
import { environmentTopics } from "../../config/topics.ts";
import { eventSourceMappings, MAX_EVENT_BYTES, type EventSourceMapping } from "../../domain/event-source-mappings.ts";
import { existingWhere } from "../../domain/pipelines.ts";
import { topics } from "../../domain/topics.ts";
import { sizes, type Flow, type Workload } from "./workload.ts";

/** Records of a topic, and their bytes, a second. */
interface Rate {
  readonly records: number;
  readonly bytes: number;
}

/** What an event source mapping reads a second, and what its function is invoked for. */
export interface Consumer extends Rate {
  readonly mapping: EventSourceMapping;
  /** Each gathers records of its own partitions. */
  readonly pollers: number;
  /** Invocations a second, of all pollers. */
  readonly invocations: number;
}

/**
 * Bytes a second of one poller: https://docs.aws.amazon.com/lambda/latest/dg/with-kafka-low-latency.html ("up to 5 MB/s
 * throughput").
 */
const POLLER_BYTES = 5_000_000;
/** Bytes of a record in an event beside its key and value in base64: its other fields, and headers as numbers. */
const EVENT_OVERHEAD = 500;

/** The consumers that Lambda polls for in an environment, of those that have a rate. */
export function consumersOf(config: Environment, load: Workload, flow: Flow): Consumer[] {
  const rates = topicRates(config, load, flow);
  return existingWhere(eventSourceMappings, runningPipelineNames(config)).flatMap((mapping) => {
    const rate = rates.get(mapping.topic);
    return rate === undefined || rate.records === 0 ? [] : [consumer(mapping, rate)];
  });
}

/**
 * An event is full after the batching window, `batchSize` records or 6 MB, whatever comes first, from its first record
 * on: "Batching behavior" of https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventsourcemapping.html.
 */
function consumer(mapping: EventSourceMapping, { records, bytes }: Rate): Consumer {
  const pollers = Math.max(1, Math.ceil(bytes / POLLER_BYTES));
  const ofPoller = records / pollers;
  const eventBytes = ((bytes * 4) / 3 + records * EVENT_OVERHEAD) / pollers;
  const gatheredFor = Math.min(
    mapping.batchingWindowMs / 1_000,
    mapping.batchSize / ofPoller,
    MAX_EVENT_BYTES / eventBytes,
  );
  return { mapping, records, bytes, pollers, invocations: pollers / (1 / ofPoller + gatheredFor) };
}

/** What topics get, as far as sensors and trades decide it: sessions, alerts and what is refused are few. */
function topicRates(
  config: Environment,
  load: Workload,
  { messages, windows, trades, bars, bytes }: Flow,
): Map<string, Rate> {
  const rates = new Map<string, Rate>([
    [topics.imuData.name, { records: messages, bytes: bytes.input }],
    [topics.aggregated.name, { records: windows, bytes: bytes.windows }],
    [topics.inference.name, { records: load.sensors, bytes: bytes.inference }],
    [topics.trades.name, { records: trades, bytes: bytes.trades }],
    [topics.marketEnriched.name, { records: trades, bytes: bytes.enriched }],
    [topics.marketAggregated.name, { records: bars, bytes: bytes.bars }],
    [topics.marketPositions.name, { records: trades, bytes: bytes.positions }],
  ]);
  for (const [topic, ticks] of ticksOf(config)) {
    const { records, bytes: others } = rates.get(topic)!;
    rates.set(topic, { records: records + ticks, bytes: others + ticks * sizes.tick });
  }
  return rates;
}

/** Ticks a second of each input topic: one for each partition. */
function ticksOf(config: Environment): Map<string, number> {
  const partitions = new Map(environmentTopics(config).map((topic) => [topic.name, topic.partitions]));
  return new Map(
    runningPipelines(config)
      .filter(({ ticked }) => ticked)
      .map(({ input }) => [topics[input].name, partitions.get(topics[input].name)!]),
  );
}

/**
 * Writes a second of a function that writes only the newest record of each key in an event.
 *
 * @param keys How many keys there are, each with its records in one partition
 * @param perKey Records a second of each key
 */
export function newestOnly({ invocations, pollers }: Consumer, keys: number, perKey: number): number {
  return keys * Math.min(perKey, invocations / pollers);
}
