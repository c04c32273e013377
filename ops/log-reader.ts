import type { Admin, Cluster, Kafka } from "kafkajs";
import { openCluster } from "../adapters/kafka-cluster.ts";
import { createKafka, type KafkaConnection } from "../adapters/kafka.ts";
import { newestRecords, type NewestOptions } from "../adapters/newest-records.ts";
import { topicSizes } from "../adapters/topic-sizes.ts";
import { eventSourceMappings } from "../domain/event-source-mappings.ts";
import { consumerGroups } from "../domain/names.ts";
import type {
  GroupOverview,
  GroupPartition,
  PartitionOverview,
  RecordsOverview,
  TopicOverview,
} from "../domain/ops.ts";
import { pipelines, processorPrograms, type PipelineName } from "../domain/pipelines.ts";
import { previewRecord } from "../domain/record-preview.ts";
import { SECOND, type EpochMs, type Milliseconds } from "../domain/time.ts";
import { topics, type TopicSpec } from "../domain/topics.ts";
import { KeptConnection } from "./kept-connection.ts";

/** Kafka has its own topics, which begin so. */
const INTERNAL = "__";
/** Topics and groups that are told of; where there are more, Millrace's own come first. */
const MAX_TOPICS = 200;
const MAX_GROUPS = 200;
/** How long an answer holds for those who ask meanwhile: many pages ask as one. */
const FRESH_MS: Milliseconds = 1 * SECOND;

const specs = new Map<string, TopicSpec>(Object.values(topics).map((spec) => [spec.name, spec]));

/** Who reads with each group of Millrace. */
const readers = new Map<string, string[]>();
for (const [name, { consumerGroup }] of Object.entries(pipelines))
  readers.set(consumerGroup, [processorPrograms[name as PipelineName]]);
for (const { consumerGroup, functionName } of eventSourceMappings)
  readers.set(consumerGroup, [...new Set([...(readers.get(consumerGroup) ?? []), functionName])]);
readers.set(consumerGroups.live, ["live"]);
readers.set(consumerGroups.rejectedNotices, ["bridge"]);

interface Connected {
  readonly cluster: Cluster;
  readonly admin: Admin;
}

/** First and next offset of each partition, by topic. */
type Bounds = ReadonlyMap<string, ReadonlyMap<number, { readonly first: number; readonly next: number }>>;

/** Reads what Kafka has: topics, groups and records. It joins no group, and commits nothing. */
export class LogReader {
  readonly #connection: KeptConnection<Connected>;
  readonly #now: () => EpochMs;
  readonly #answers = new Map<string, { readonly atMs: EpochMs; readonly answer: Promise<unknown> }>();
  /** The sums of the topics' next offsets when they were last read, for rates. */
  #before: { readonly atMs: EpochMs; readonly next: ReadonlyMap<string, number> } | null = null;

  constructor(connection: KafkaConnection, now: () => EpochMs) {
    const kafka = createKafka(connection, "millrace-ops", undefined, { retry: { retries: 1 } });
    this.#connection = new KeptConnection({
      connect: () => connect(kafka),
      disconnect: ({ cluster, admin }) => Promise.allSettled([cluster.disconnect(), admin.disconnect()]),
      isLost: isKafkaError,
    });
    this.#now = now;
  }

  /** The topics but Kafka's own, at most 200, sorted by their names. @throws Error when Kafka does not answer */
  topics(): Promise<TopicOverview[]> {
    return this.#fresh("topics", () => this.#connection.use((connected) => this.#readTopics(connected)));
  }

  /** The consumer groups, at most 200, sorted by their names. @throws Error when Kafka does not answer */
  groups(): Promise<GroupOverview[]> {
    return this.#fresh("groups", () => this.#connection.use((connected) => this.#readGroups(connected)));
  }

  /** The last records of a topic. @throws MillraceError `arguments-invalid` for a topic that is not there */
  records(topic: string, options: NewestOptions): Promise<RecordsOverview> {
    return this.#connection.use(async ({ cluster }) => {
      const { records, isComplete } = await newestRecords(cluster, topic, options);
      return { topic, records: records.map(previewRecord), isComplete };
    });
  }

  /** Values of the last records of a topic, the newest first. */
  values(topic: string, limit: number): Promise<(Uint8Array | null)[]> {
    return this.#connection.use(async ({ cluster }) =>
      (await newestRecords(cluster, topic, { limit })).records.map(({ value }) => value),
    );
  }

  /** Ends its connections. */
  close(): Promise<void> {
    return this.#connection.close();
  }

  #fresh<T>(name: string, read: () => Promise<T>): Promise<T> {
    const known = this.#answers.get(name);
    if (known && this.#now() - known.atMs < FRESH_MS) return known.answer as Promise<T>;
    const answer = read();
    this.#answers.set(name, { atMs: this.#now(), answer });
    answer.catch(() => this.#answers.delete(name));
    return answer;
  }

  async #readTopics({ cluster, admin }: Connected): Promise<TopicOverview[]> {
    const names = (await admin.listTopics()).filter((name) => !name.startsWith(INTERNAL));
    const shown = cut(names, MAX_TOPICS, specs);
    const bounds = await readBounds(cluster, shown);
    const sizes = await readSizes(cluster);
    const rates = this.#rates(bounds);
    return shown.map((name): TopicOverview => {
      const spec = specs.get(name);
      const partitions = cluster
        .findTopicPartitionMetadata(name)
        .map(({ partitionId, leader, replicas, isr }): PartitionOverview => ({
          partition: partitionId,
          first: bounds.get(name)?.get(partitionId)?.first ?? 0,
          next: bounds.get(name)?.get(partitionId)?.next ?? 0,
          bytes: sizes.get(`${name}/${partitionId}`) ?? null,
          leader,
          replicas: replicas.length,
          inSync: isr.length,
        }))
        .sort((a, b) => a.partition - b.partition);
      return {
        name,
        purpose: spec?.purpose ?? null,
        partitions,
        bytes: sumOrNull(partitions.map(({ bytes }) => bytes)),
        offsetsPerSecond: rates.get(name) ?? null,
        retentionMs: spec?.retentionMs ?? null,
      };
    });
  }

  #rates(bounds: Bounds): Map<string, number> {
    const next = new Map(
      [...bounds].map(([name, partitions]) => [name, sum([...partitions.values()].map((p) => p.next))]),
    );
    const before = this.#before;
    const atMs = this.#now();
    this.#before = { atMs, next };
    if (before === null || atMs <= before.atMs) return new Map();
    const seconds = (atMs - before.atMs) / SECOND;
    return new Map(
      [...next].flatMap(([name, now]) => {
        const then = before.next.get(name);
        return then === undefined ? [] : [[name, Math.max(0, now - then) / seconds] as const];
      }),
    );
  }

  async #readGroups({ cluster, admin }: Connected): Promise<GroupOverview[]> {
    const { groups: listed } = await admin.listGroups();
    const shown = cut(
      listed.map(({ groupId }) => groupId),
      MAX_GROUPS,
      readers,
    );
    if (shown.length === 0) return [];
    const { groups } = await admin.describeGroups(shown);
    const committed = new Map<string, Awaited<ReturnType<Admin["fetchOffsets"]>>>();
    for (const group of shown) committed.set(group, await admin.fetchOffsets({ groupId: group }));
    const read = new Set([...committed.values()].flat().map(({ topic }) => topic));
    const existing = new Set(await admin.listTopics());
    const bounds = await readBounds(
      cluster,
      [...read].filter((topic) => existing.has(topic)),
    );
    return groups.map(({ groupId, state, members }): GroupOverview => {
      const ofTopics = (committed.get(groupId) ?? []).map(({ topic, partitions }) => {
        const ends = bounds.get(topic);
        const lags = partitions
          .map(({ partition, offset }): GroupPartition => {
            const next = ends?.get(partition)?.next ?? 0;
            const at = Number(offset) < 0 ? null : Number(offset);
            return { partition, committed: at, next, lag: at === null ? null : Math.max(0, next - at) };
          })
          .sort((a, b) => a.partition - b.partition);
        return { topic, lag: sumOfKnown(lags.map(({ lag }) => lag)), partitions: lags };
      });
      return {
        group: groupId,
        state,
        members: members.length,
        readers: readers.get(groupId) ?? [],
        lag: sumOfKnown(ofTopics.map(({ lag }) => lag)),
        topics: ofTopics.sort((a, b) => a.topic.localeCompare(b.topic)),
      };
    });
  }
}

/** At most `max` names, sorted; those that are Millrace's `own` are never left out for others. */
function cut(names: readonly string[], max: number, own: ReadonlyMap<string, unknown>): string[] {
  const byName = [...names].sort();
  return [...byName.filter((name) => own.has(name)), ...byName.filter((name) => !own.has(name))].slice(0, max).sort();
}

async function connect(kafka: Kafka): Promise<Connected> {
  const cluster = openCluster(kafka);
  const admin = kafka.admin();
  await cluster.connect();
  await admin.connect();
  return { cluster, admin };
}

/** The bounds of topics, asked of each broker twice. */
async function readBounds(cluster: Cluster, names: readonly string[]): Promise<Bounds> {
  if (names.length === 0) return new Map();
  await cluster.addMultipleTargetTopics([...names]);
  await cluster.refreshMetadataIfNecessary();
  const asked = names.map((topic) => ({
    topic,
    partitions: cluster.findTopicPartitionMetadata(topic).map(({ partitionId }) => ({ partition: partitionId })),
  }));
  const at = async (fromBeginning: boolean): Promise<Map<string, number>> => {
    const answers = await cluster.fetchTopicsOffset(asked.map((each) => ({ ...each, fromBeginning })));
    return new Map(
      answers.flatMap(({ topic, partitions }) =>
        partitions.map(({ partition, offset }) => [`${topic}/${partition}`, Number(offset)] as const),
      ),
    );
  };
  const [first, next] = [await at(true), await at(false)];
  return new Map(
    asked.map(({ topic, partitions }) => [
      topic,
      new Map(
        partitions.map(({ partition }) => {
          const key = `${topic}/${partition}`;
          return [partition, { first: first.get(key) ?? 0, next: next.get(key) ?? 0 }];
        }),
      ),
    ]),
  );
}

/** Sizes of all brokers together; of a partition with several replicas the largest. None where a broker gives none. */
async function readSizes(cluster: Cluster): Promise<ReadonlyMap<string, number>> {
  const sizes = new Map<string, number>();
  for (const nodeId of cluster.getNodeIds()) {
    try {
      const broker = await cluster.findBroker({ nodeId: String(nodeId) });
      for (const [key, bytes] of await topicSizes(broker)) sizes.set(key, Math.max(bytes, sizes.get(key) ?? 0));
    } catch {
      // MSK Serverless does not answer this request.
    }
  }
  return sizes;
}

function isKafkaError(error: unknown): boolean {
  return (error as Error).name.startsWith("KafkaJS");
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** Null where one is unknown. */
function sumOrNull(values: readonly (number | null)[]): number | null {
  return values.includes(null) ? null : sum(values as number[]);
}

/** Of those that are known; null where none is. */
function sumOfKnown(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : sum(known);
}
