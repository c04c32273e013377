import { Partitioners, type Cluster, type Kafka, type Producer } from "kafkajs";
import { headers as headerNames, topics } from "../../../domain/topics.ts";
import type { InputRecord } from "../../runtime/machine.ts";
import { letterName, recordOfLetter, type RecordOfLetter } from "./record-of-letter.ts";
import { committedRecords, sentLetters, sentRecord } from "./sent-letters.ts";

/** Records of one transaction, at most. */
const BATCH_RECORDS = 100;

export interface SendOptions {
  readonly kafka: Kafka;
  readonly cluster: Cluster;
  readonly environment: string;
  readonly delivery: "transactional" | "idempotent";
  /** Only letters with this error code. */
  readonly code: string | undefined;
  /** Counts what would be sent, and sends nothing. */
  readonly dryRun: boolean;
  /** Called with a sentence about every letter that can't be sent again. */
  warn(sentence: string): void;
}

export interface SendSummary {
  /** Letters looked at: those with the code, if one was given. */
  letters: number;
  /** Sent, or to be sent, by topic. */
  readonly sent: Record<string, number>;
  /** Sent by an earlier run, or a copy of a letter about the same source record. */
  before: number;
  impossible: number;
}

/** A letter that this run sends. */
interface Send {
  readonly letter: InputRecord;
  readonly record: RecordOfLetter;
}

/**
 * Sends dead letters in again, each once. For each letter the same transaction writes a record to `millrace-progress`,
 * which is compacted and kept for ever; a letter that has such a record is skipped. An environment has one
 * transactional id for this, so of two runs at a time the older one is fenced.
 *
 * Without transactions these records follow the letters. A run that dies between the two sends those letters again, and
 * the processor drops them by sequence number.
 */
export async function sendDeadLetters(options: SendOptions): Promise<SendSummary> {
  const { cluster, delivery, dryRun } = options;
  await cluster.connect();
  for (const topic of [topics.deadLetter.name, topics.progress.name]) await cluster.addTargetTopic(topic);
  if (dryRun) return sendAll(options, () => Promise.resolve());
  const producer = createProducer(options);
  await producer.connect();
  try {
    // Fences an older run before this one reads what was sent.
    if (delivery === "transactional") await (await producer.transaction()).abort();
    return await sendAll(options, (sends) => sendBatch(producer, sends, delivery));
  } finally {
    await producer.disconnect();
  }
}

function createProducer({ kafka, environment, delivery }: SendOptions): Producer {
  const transactional = { transactionalId: `millrace.${environment}.reinject`, maxInFlightRequests: 1 };
  return kafka.producer({
    ...(delivery === "transactional" ? transactional : {}),
    idempotent: true,
    createPartitioner: Partitioners.DefaultPartitioner,
    allowAutoTopicCreation: false,
  });
}

/** Goes through all partitions of dead letters and hands over what has to be sent, in batches. */
async function sendAll(options: SendOptions, send: (batch: readonly Send[]) => Promise<void>): Promise<SendSummary> {
  const { cluster } = options;
  const summary: SendSummary = { letters: 0, sent: {}, before: 0, impossible: 0 };
  const sources = new Set<string>();
  const metadata = cluster.findTopicPartitionMetadata(topics.deadLetter.name);
  for (const partition of metadata.map(({ partitionId }) => partitionId).sort((a, b) => a - b)) {
    const sent = await sentLetters(cluster, partition);
    for await (const letters of committedRecords(cluster, topics.deadLetter.name, partition)) {
      const sends = letters.flatMap((letter) => judge(letter, options, sent, sources, summary) ?? []);
      for (let from = 0; from < sends.length; from += BATCH_RECORDS)
        await send(sends.slice(from, from + BATCH_RECORDS));
      for (const { record } of sends) summary.sent[record.topic] = (summary.sent[record.topic] ?? 0) + 1;
    }
  }
  return summary;
}

/** Whether a letter is sent, and counts it. Null: it is not. */
function judge(
  letter: InputRecord,
  options: SendOptions,
  sent: ReadonlySet<string>,
  sources: Set<string>,
  summary: SendSummary,
): Send | null {
  const code = letter.headers[headerNames.errorCode];
  if (options.code !== undefined && code !== options.code) return null;
  summary.letters++;
  const record = recordOfLetter(letter);
  if (record.kind === "impossible") {
    summary.impossible++;
    const key = JSON.stringify(letter.key === null ? null : Buffer.from(letter.key).toString("utf8"));
    options.warn(`${letterName(letter)} (${code}, key ${key}) can't be sent again: ${record.why}`);
    return null;
  }
  const isKnown = sent.has(letterName(letter)) || sources.has(record.source);
  sources.add(record.source);
  if (isKnown) summary.before++;
  return isKnown ? null : { letter, record };
}

async function sendBatch(producer: Producer, sends: readonly Send[], delivery: SendOptions["delivery"]): Promise<void> {
  const transaction = delivery === "transactional" ? await producer.transaction() : null;
  const sender = transaction ?? producer;
  try {
    // One request per record. A batch to a partition may not exceed 1 MB, and kafkajs, retrying a request to several
    // leaders, may report as written what it never sent (see the bridge's KafkaSender). Speed is no concern here.
    for (const { record } of sends) {
      const { topic, key, value, headers, partition } = record;
      const message = { key: buffer(key), value: buffer(value), headers };
      await sender.send({ topic, messages: [partition === undefined ? message : { ...message, partition }] });
    }
    for (const { letter, record } of sends)
      await sender.send({ topic: topics.progress.name, messages: [sentRecord(letter, record.topic)] });
    await transaction?.commit();
  } catch (error) {
    await transaction?.abort().catch(() => undefined);
    throw error;
  }
}

function buffer(bytes: Uint8Array | null): Buffer | null {
  return bytes === null ? null : Buffer.from(bytes);
}
