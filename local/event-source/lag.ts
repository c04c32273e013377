import type { Cluster } from "kafkajs";

/** How far a consumer group is in a topic. */
export interface GroupProgress {
  readonly group: string;
  readonly topic: string;
  /** Offset before which the group has committed everything, by partition. */
  readonly committed: ReadonlyMap<number, number>;
}

/** Records that each group has not committed yet, over all partitions. Asks each broker once. */
export async function groupLags(cluster: Cluster, groups: readonly GroupProgress[]): Promise<Map<string, number>> {
  const partitionsOf = new Map<string, Set<number>>();
  for (const { topic, committed } of groups)
    partitionsOf.set(topic, new Set([...(partitionsOf.get(topic) ?? []), ...committed.keys()]));
  const known = [...partitionsOf].filter(([, partitions]) => partitions.size > 0);
  const answer =
    known.length === 0
      ? []
      : await cluster.fetchTopicsOffset(
          known.map(([topic, partitions]) => ({
            topic,
            partitions: [...partitions].map((partition) => ({ partition })),
            fromBeginning: false,
          })),
        );
  const ends = new Map(
    answer.map(({ topic, partitions }) => [
      topic,
      new Map(partitions.map(({ partition, offset }) => [partition, Number(offset)])),
    ]),
  );
  return new Map(
    groups.map(({ group, topic, committed }) => {
      let lag = 0;
      for (const [partition, offset] of committed)
        lag += Math.max(0, (ends.get(topic)?.get(partition) ?? offset) - offset);
      return [group, lag];
    }),
  );
}
