import { AssignerProtocol, type Cluster, type Kafka } from "kafkajs";

/**
 * A kafkajs cluster of its own: connections, metadata and brokers, without a group or a position. kafkajs gives one
 * only to the assigner of a consumer; this consumer is never run.
 *
 * A task reads through the brokers because it must own its position. The consumer of kafkajs resets a position that
 * falls out of the log, and returns to the group's offset after a rebalance.
 *
 * @param isolation Whether the end of a partition is its last committed record or its last one. @default committed
 */
export function openCluster(kafka: Kafka, isolation: "committed" | "uncommitted" = "committed"): Cluster {
  let captured: Cluster | undefined;
  kafka.consumer({
    groupId: "unused",
    readUncommitted: isolation === "uncommitted",
    allowAutoTopicCreation: false,
    partitionAssigners: [
      ({ cluster }) => {
        captured = cluster;
        return {
          name: "unused",
          version: 0,
          assign: () => Promise.resolve([]),
          protocol: ({ topics }) => ({
            name: "unused",
            metadata: AssignerProtocol.MemberMetadata.encode({ version: 0, topics, userData: Buffer.alloc(0) }),
          }),
        };
      },
    ],
  });
  if (!captured) throw new Error("kafkajs did not give its cluster to the assigner");
  return captured;
}

/**
 * Asks the leader of a partition. Another broker may lead when that fails, so the metadata is read again: kafkajs would
 * do so only after five minutes, when it expires.
 */
export async function askLeader<T>(cluster: Cluster, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    await cluster.refreshMetadata().catch(() => undefined);
    throw error;
  }
}

/**
 * Asks a partition's leader for the bounds of its log: the offsets of its first record, and of the next to come.
 *
 * @throws Error when the topic has no such partition
 */
export async function partitionBounds(
  cluster: Cluster,
  topic: string,
  partition: number,
): Promise<{ readonly earliest: number; readonly latest: number }> {
  await cluster.connect();
  await cluster.addTargetTopic(topic);
  const boundAt = async (fromBeginning: boolean): Promise<number> => {
    const [answer] = await askLeader(cluster, () =>
      cluster.fetchTopicsOffset([{ topic, partitions: [{ partition }], fromBeginning }]),
    );
    const offset = answer?.partitions[0]?.offset;
    if (offset === undefined) throw new Error(`Kafka gave no offset of ${topic}/${partition}`);
    return Number(offset);
  };
  return { earliest: await boundAt(true), latest: await boundAt(false) };
}
