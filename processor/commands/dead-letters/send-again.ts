import type { Cluster, Kafka, Message, Producer } from "kafkajs";
import { withIdempotentProducer } from "../../../adapters/control-records.ts";
import { committedRecords, partitionsOf } from "../../../adapters/read-partition.ts";
import { topics } from "../../../domain/topics.ts";
import type { InputRecord } from "../../runtime/machine.ts";
import { isMeant, letterOf, type LetterFilter } from "./letters.ts";
import { letterName, recordOfLetter, type RecordOfLetter } from "./record-of-letter.ts";
import { sendRecord } from "./send-record.ts";
import { sentLetters, sentRecord } from "./sent-letters.ts";

/** Letters that are sent before what was sent is noted. A task remembers more than so many. */
const BATCH_RECORDS = 100;

export interface SendOptions {
  readonly kafka: Kafka;
  readonly cluster: Cluster;
  /** Which letters are sent. */
  readonly filter: LetterFilter;
  /** Counts what would be sent, and sends nothing. */
  readonly dryRun: boolean;
  /** Called with a sentence about every letter that can't be sent again. */
  warn(sentence: string): void;
}

export interface SendSummary {
  /** Letters that the filter means. */
  letters: number;
  /** Sent, or to be sent, by topic. */
  readonly sent: Record<string, number>;
  /** Sent by an earlier run, or a copy of a letter about the same source record. */
  before: number;
  impossible: number;
  /** Ids of the filter that no letter has. */
  missing: readonly string[];
}

/** A letter that this run sends. */
interface Send {
  readonly letter: InputRecord;
  readonly record: RecordOfLetter;
}

/**
 * Sends dead letters in again, each once, outside of any transaction: not all readers of an input read committed
 * records only. Behind each batch a record for each letter goes to `millrace-progress`, which is compacted and kept for
 * ever; a letter that has such a record is skipped. A run that dies between the two sends those letters again, and a
 * task takes each once, by its header `reinjected-from`.
 */
export async function sendAgain(options: SendOptions): Promise<SendSummary> {
  const { kafka, cluster, dryRun } = options;
  await partitionsOf(cluster, topics.progress.name);
  if (dryRun) return sendAll(options, () => Promise.resolve());
  return withIdempotentProducer(kafka, (producer) => sendAll(options, (sends) => sendBatch(producer, sends)));
}

/** Goes through all partitions of dead letters and hands over what has to be sent, in batches. */
async function sendAll(options: SendOptions, send: (batch: readonly Send[]) => Promise<void>): Promise<SendSummary> {
  const { cluster } = options;
  const summary: SendSummary = { letters: 0, sent: {}, before: 0, impossible: 0, missing: options.filter.ids };
  const sources = new Set<string>();
  for (const partition of await partitionsOf(cluster, topics.deadLetter.name)) {
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
  sent: ReadonlyMap<string, unknown>,
  sources: Set<string>,
  summary: SendSummary,
): Send | null {
  if (!isMeant(letter, options.filter)) return null;
  const { id, code } = letterOf(letter);
  summary.letters++;
  summary.missing = summary.missing.filter((missing) => missing !== id && missing !== letterName(letter));
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

async function sendBatch(producer: Producer, sends: readonly Send[]): Promise<void> {
  const notes: Message[] = [];
  for (const { letter, record } of sends) notes.push(sentRecord(letter, await sendRecord(producer, record)));
  for (const note of notes) await producer.send({ topic: topics.progress.name, messages: [note] });
}
