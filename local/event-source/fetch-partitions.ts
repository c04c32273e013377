import type { Cluster } from "kafkajs";
import { fetchFrom, ISOLATION, type FetchedPartition, type FetchPosition } from "../../adapters/kafka-records.ts";

/**
 * Of one fetch. It is answered at once, since a poller asks once in a batching window: a fetch that the broker holds
 * costs it a look at each append. What comes fits one event in base64, and a partition can't fill it alone.
 */
const LIMITS = { maxWaitMs: 0, maxBytes: 4_000_000, maxBytesPerPartition: 1_000_000 } as const;

/**
 * Fetches what partitions of a topic have now, also of open transactions: one request to each leader.
 *
 * @returns In the order of the positions, as far as something fits; a broker that throttles answers nothing.
 * @throws The error of kafkajs when a leader does not answer
 */
export async function fetchPartitions(
  cluster: Cluster,
  topic: string,
  positions: readonly FetchPosition[],
): Promise<FetchedPartition[]> {
  await cluster.refreshMetadataIfNecessary();
  const leaders = cluster.findLeaderForPartitions(
    topic,
    positions.map(({ partition }) => partition),
  );
  const answers = await Promise.all(
    Object.entries(leaders).map(async ([nodeId, partitions]) => {
      const broker = await cluster.findBroker({ nodeId });
      const led = positions.filter(({ partition }) => partitions.includes(partition));
      return fetchFrom(broker, topic, led, LIMITS, ISOLATION.uncommitted);
    }),
  );
  return answers.flat();
}
