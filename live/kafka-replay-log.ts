import type { Kafka } from "kafkajs";
import { openCluster, partitionBounds } from "../adapters/kafka-cluster.ts";
import { fetchRecords, ISOLATION } from "../adapters/kafka-records.ts";
import type { ReplayLog } from "./replay.ts";

/** Kafka's log, over connections of its own. It connects when it is first asked. */
export function kafkaReplayLog(kafka: Kafka): ReplayLog & { close(): Promise<void> } {
  const cluster = openCluster(kafka, "uncommitted");
  return {
    bounds: (topic, partition) => partitionBounds(cluster, topic, partition),
    async fetch(topic, partition, offset) {
      const { records, nextOffset } = await fetchRecords(cluster, topic, partition, offset, ISOLATION.uncommitted);
      return { records, nextOffset };
    },
    close: () => cluster.disconnect(),
  };
}
