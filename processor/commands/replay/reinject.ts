import { Partitioners, type Cluster, type Kafka, type Message, type Producer } from "kafkajs";
import { headers as headerNames, topics } from "../../../domain/topics.ts";
import { partitionBounds } from "../../adapters/kafka-cluster.ts";
import { fetchRecords } from "../../adapters/kafka-records.ts";
import type { InputRecord } from "../../runtime/machine.ts";
import { letterName, reinjection, type Reinjection } from "./reinjection.ts";

/** Records of one transaction, at most. */
const BATCH_RECORDS = 100;
const MARK_PREFIX = "reinjected/";

export interface ReinjectOptions {
  readonly kafka: Kafka;
  readonly cluster: Cluster;
  readonly environment: string;
  readonly delivery: "transactional" | "idempotent";
  /** Only letters with this error code. */
  readonly code: string | undefined;
  /** Says what would be done, and does nothing. */
  readonly dryRun: boolean;
  /** Hears of every letter that can't be sent again. */
  told(sentence: string): void;
}

export interface ReinjectSummary {
  /** Letters looked at: those with the code, if one was given. */
  letters: number;
  /** Sent, or to be sent, by topic. */
  readonly sent: Record<string, number>;
  /** Sent by an earlier run, or a copy of a letter about the same source record. */
  before: number;
  impossible: number;
}

type Send = Extract<Reinjection, { kind: "send" }> & { readonly letter: InputRecord };

/**
 * Sends dead letters in again, each once: with the records, in the same transaction, goes a mark for each letter into
 * `millrace-progress` (compacted, kept for ever), and what has a mark is not sent again. The transactional id is one
 * for the environment, so that of two runs at a time the older one is fenced. Without transactions the marks follow the
 * records: a run that dies between the two sends those again, and the path drops them by sequence number.
 */
export async function reinjectDeadLetters(options: ReinjectOptions): Promise<ReinjectSummary> {
  const { kafka, cluster, environment, delivery, dryRun } = options;
  const summary: ReinjectSummary = { letters: 0, sent: {}, before: 0, impossible: 0 };
  await cluster.connect();
  for (const topic of [topics.deadLetter.name, topics.progress.name]) await cluster.addTargetTopic(topic);
  const producer = kafka.producer({
    ...(delivery === "transactional"
      ? { transactionalId: `millrace.${environment}.reinject`, maxInFlightRequests: 1 }
      : {}),
    idempotent: true,
    createPartitioner: Partitioners.DefaultPartitioner,
    allowAutoTopicCreation: false,
  });
  if (!dryRun) await producer.connect();
  try {
    // Fences an older run before its marks are read.
    if (!dryRun && delivery === "transactional") await (await producer.transaction()).abort();
    const partitions = cluster
      .findTopicPartitionMetadata(topics.deadLetter.name)
      .map(({ partitionId }) => partitionId)
      .sort((a, b) => a - b);
    const sources = new Set<string>();
    for (const partition of partitions) {
      const marks = await marksOf(cluster, partition);
      for await (const letters of committed(cluster, topics.deadLetter.name, partition)) {
        const sends = letters.flatMap((letter) => judge(letter, options, marks, sources, summary) ?? []);
        for (let from = 0; from < sends.length && !dryRun; from += BATCH_RECORDS)
          await send(producer, sends.slice(from, from + BATCH_RECORDS), delivery);
        for (const { topic } of sends) summary.sent[topic] = (summary.sent[topic] ?? 0) + 1;
      }
    }
  } finally {
    if (!dryRun) await producer.disconnect();
  }
  return summary;
}

function judge(
  letter: InputRecord,
  options: ReinjectOptions,
  marks: ReadonlySet<string>,
  sources: Set<string>,
  summary: ReinjectSummary,
): Send | null {
  const code = letter.headers[headerNames.errorCode];
  if (options.code !== undefined && code !== options.code) return null;
  summary.letters++;
  const name = letterName(letter);
  const result = reinjection(letter);
  if (result.kind === "impossible") {
    summary.impossible++;
    options.told(
      `${name} (${code}, key ${JSON.stringify(letter.key === null ? null : Buffer.from(letter.key).toString("utf8"))}) can't be sent again: ${result.why}`,
    );
    return null;
  }
  const known = marks.has(name) || sources.has(result.source);
  sources.add(result.source);
  if (known) summary.before++;
  return known ? null : { ...result, letter };
}

/** Names of letters of a partition that were sent again. */
async function marksOf(cluster: Cluster, partition: number): Promise<Set<string>> {
  const marks = new Set<string>();
  const kept = cluster
    .findTopicPartitionMetadata(topics.progress.name)
    .some(({ partitionId }) => partitionId === partition);
  if (!kept)
    throw new Error(
      `${topics.progress.name} has no partition ${partition}, but ${topics.deadLetter.name} has: both need the same number`,
    );
  for await (const records of committed(cluster, topics.progress.name, partition)) {
    for (const { key } of records) {
      const text = key === null ? "" : Buffer.from(key).toString("utf8");
      if (text.startsWith(MARK_PREFIX)) marks.add(text.slice(MARK_PREFIX.length));
    }
  }
  return marks;
}

/** All committed records of a partition up to the end that it has now. */
async function* committed(cluster: Cluster, topic: string, partition: number): AsyncGenerator<InputRecord[]> {
  const { earliest, latest } = await partitionBounds(cluster, topic, partition);
  for (let offset = earliest; offset < latest;) {
    const { records, nextOffset } = await fetchRecords(cluster, topic, partition, offset);
    yield records.filter((record) => record.offset < latest);
    offset = nextOffset;
  }
}

async function send(producer: Producer, sends: readonly Send[], delivery: ReinjectOptions["delivery"]): Promise<void> {
  const marks = sends.map(({ letter, topic }): Message => ({
    key: MARK_PREFIX + letterName(letter),
    value: topic,
    partition: letter.partition,
  }));
  const transaction = delivery === "transactional" ? await producer.transaction() : null;
  const sender = transaction ?? producer;
  try {
    // One by one: a batch to a partition may be no larger than 1 MB; what goes to several leaders, a retry of kafkajs may
    // report as written and never send (see the bridge's KafkaSender); and this is no hot path.
    for (const { topic, key, value, headers, partition } of sends) {
      await sender.send({
        topic,
        messages: [
          { key: buffer(key), value: buffer(value), headers, ...(partition === undefined ? {} : { partition }) },
        ],
      });
    }
    for (const mark of marks) await sender.send({ topic: topics.progress.name, messages: [mark] });
    await transaction?.commit();
  } catch (error) {
    await transaction?.abort().catch(() => undefined);
    throw error;
  }
}

function buffer(bytes: Uint8Array | null): Buffer | null {
  return bytes === null ? null : Buffer.from(bytes);
}
