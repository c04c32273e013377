import type { Cluster } from "kafkajs";

/** What is known of a mapping's progress. */
export interface Progress {
  readonly topic: string;
  /** Offset before which the group has committed everything, by partition. */
  readonly committed: ReadonlyMap<number, number>;
}

/** Records that the mappings have not committed yet, over all partitions. Asks each broker once. */
export async function totalLag(cluster: Cluster, mappings: readonly Progress[]): Promise<number> {
  const partitionsOf = new Map(mappings.map(({ topic, committed }) => [topic, [...committed.keys()]]));
  const known = [...partitionsOf].filter(([, partitions]) => partitions.length > 0);
  if (known.length === 0) return 0;
  const answer = await cluster.fetchTopicsOffset(
    known.map(([topic, partitions]) => ({
      topic,
      partitions: partitions.map((partition) => ({ partition })),
      fromBeginning: false,
    })),
  );
  const ends = new Map(
    answer.map(({ topic, partitions }) => [
      topic,
      new Map(partitions.map(({ partition, offset }) => [partition, Number(offset)])),
    ]),
  );
  let lag = 0;
  for (const { topic, committed } of mappings)
    for (const [partition, offset] of committed)
      lag += Math.max(0, (ends.get(topic)?.get(partition) ?? offset) - offset);
  return lag;
}
