import type { Cluster, Message } from "kafkajs";
import { committedRecords } from "../../../adapters/read-partition.ts";
import { topics } from "../../../domain/topics.ts";
import type { InputRecord } from "../../runtime/machine.ts";
import { letterName } from "./record-of-letter.ts";

/** A record with this key prefix in `millrace-progress` says that a letter was sent again. */
const KEY_PREFIX = "reinjected/";

/** The record that says that a letter was sent again, to `topic`. */
export function sentRecord(letter: InputRecord, topic: string): Message {
  return { key: KEY_PREFIX + letterName(letter), value: topic, partition: letter.partition };
}

/** Names of the letters of a partition that were sent again. */
export async function sentLetters(cluster: Cluster, partition: number): Promise<Set<string>> {
  const metadata = cluster.findTopicPartitionMetadata(topics.progress.name);
  if (!metadata.some(({ partitionId }) => partitionId === partition))
    throw new Error(
      `${topics.progress.name} has no partition ${partition}, but ${topics.deadLetter.name} has: ` +
        "both need the same number",
    );
  const sent = new Set<string>();
  for await (const records of committedRecords(cluster, topics.progress.name, partition)) {
    for (const { key } of records) {
      const name = key === null ? "" : Buffer.from(key).toString("utf8");
      if (name.startsWith(KEY_PREFIX)) sent.add(name.slice(KEY_PREFIX.length));
    }
  }
  return sent;
}
