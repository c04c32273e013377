import type { Cluster, Message } from "kafkajs";
import { committedRecords, offsetsBetween } from "../../../adapters/read-partition.ts";
import { IDEMPOTENCY_HEADER, type LetterSent } from "../../../domain/ops.ts";
import { HOUR, type EpochMs, type Milliseconds } from "../../../domain/time.ts";
import { topics } from "../../../domain/topics.ts";
import type { InputRecord } from "../../runtime/machine.ts";
import { letterName } from "./record-of-letter.ts";

/** A record with this key prefix in `millrace-progress` says that a letter was sent again. */
const KEY_PREFIX = "reinjected/";

/** Header of such a record: the partition and offset of the record that the letter has become. */
const PLACE_HEADER = "sent-as";
/** How far the clocks of those who write letters and of those who send them may differ. */
const CLOCKS_DIFFER: Milliseconds = 1 * HOUR;

/** How a letter was sent again. */
export interface SentLetter {
  /** The new record. Null where an earlier version has sent it, which did not note its place. */
  readonly record: LetterSent | null;
  /** Idempotency key of the request; null where a command has sent it. */
  readonly key: string | null;
}

/** The record that says that a letter was sent again. @param key Idempotency key of the request, if it has one */
export function sentRecord(letter: InputRecord, { topic, partition, offset }: LetterSent, key?: string): Message {
  return {
    key: KEY_PREFIX + letterName(letter),
    value: topic,
    partition: letter.partition,
    headers: { [PLACE_HEADER]: `${partition}/${offset}`, ...(key === undefined ? {} : { [IDEMPOTENCY_HEADER]: key }) },
  };
}

/**
 * Letters of a partition that were sent again, by `letterName`.
 *
 * @param since Reads no older records than a letter of that time needs. @default all are read
 */
export async function sentLetters(
  cluster: Cluster,
  partition: number,
  since?: EpochMs,
): Promise<Map<string, SentLetter>> {
  const topic = topics.progress.name;
  if (!cluster.findTopicPartitionMetadata(topic).some(({ partitionId }) => partitionId === partition))
    throw new Error(
      `${topic} has no partition ${partition}, but ${topics.deadLetter.name} has: both need the same number`,
    );
  const times = { from: (since ?? -Infinity) - CLOCKS_DIFFER, to: Infinity };
  const range = since === undefined ? undefined : await offsetsBetween(cluster, topic, partition, times);
  const sent = new Map<string, SentLetter>();
  for await (const records of committedRecords(cluster, topic, partition, range)) {
    for (const { key, value, headers } of records) {
      const name = key === null ? "" : Buffer.from(key).toString("utf8");
      if (!name.startsWith(KEY_PREFIX)) continue;
      const [to, at] = (headers[PLACE_HEADER] ?? "").split("/");
      const sentTo = value === null ? "" : Buffer.from(value).toString("utf8");
      sent.set(name.slice(KEY_PREFIX.length), {
        record: at === undefined ? null : { topic: sentTo, partition: Number(to), offset: Number(at) },
        key: headers[IDEMPOTENCY_HEADER] ?? null,
      });
    }
  }
  return sent;
}
