import type { Cluster } from "kafkajs";
import { partitionsOf, recordAt } from "../../../adapters/read-partition.ts";
import type { LogRecord } from "../../../adapters/record-batches.ts";
import { topics } from "../../../domain/topics.ts";

/** The dead letter at a place; null where there is none (any more). */
export async function letterAt(cluster: Cluster, partition: number, offset: number): Promise<LogRecord | null> {
  const topic = topics.deadLetter.name;
  if (!(await partitionsOf(cluster, topic)).includes(partition)) return null;
  return recordAt(cluster, topic, partition, offset);
}
