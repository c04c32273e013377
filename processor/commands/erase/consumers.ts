import type { Cluster, Kafka } from "kafkajs";
import { partitionBounds } from "../../../adapters/kafka-cluster.ts";
import { committedRecords } from "../../../adapters/read-partition.ts";
import { eventSourceMappings } from "../../../domain/event-source-mappings.ts";
import { systemRuntime } from "../../adapters/runtime.ts";

const POLL_MS = 1_000;

/**
 * Waits until the functions that write stores, features and lake have taken what a partition of these topics has now:
 * what they write later of a sensor would be there again.
 *
 * @returns The groups that are behind at the limit; none when all have taken it.
 */
export async function untilTaken(
  kafka: Kafka,
  cluster: Cluster,
  topics: ReadonlySet<string>,
  partition: number,
  deadline: number,
): Promise<string[]> {
  const admin = kafka.admin();
  await admin.connect();
  try {
    const waiting = new Map<string, { readonly topic: string; readonly end: number }>();
    for (const { topic, consumerGroup, functionName } of eventSourceMappings) {
      if (!topics.has(topic) || functionName === "audit-output") continue;
      waiting.set(consumerGroup, { topic, end: (await partitionBounds(cluster, topic, partition)).latest });
    }
    for (;;) {
      for (const [groupId, { topic, end }] of waiting) {
        const [offsets] = await admin.fetchOffsets({ groupId, topics: [topic] });
        const committed = Number(offsets!.partitions.find((one) => one.partition === partition)?.offset ?? -1);
        if (await hasNothing(cluster, topic, partition, committed, end)) waiting.delete(groupId);
      }
      if (waiting.size === 0 || systemRuntime.now() > deadline) return [...waiting.keys()];
      await systemRuntime.sleep(POLL_MS);
    }
  } finally {
    await admin.disconnect();
  }
}

/** Markers of transactions take offsets too, so what counts is whether a record follows. */
async function hasNothing(
  cluster: Cluster,
  topic: string,
  partition: number,
  from: number,
  end: number,
): Promise<boolean> {
  for await (const records of committedRecords(cluster, topic, partition, { from, to: end }))
    if (records.length > 0) return false;
  return true;
}
