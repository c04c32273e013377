import { AssignerProtocol, type Cluster, type Kafka } from "kafkajs";

/**
 * A kafkajs cluster client of its own: connections, metadata and brokers, without a group or a position. kafkajs hands
 * one to every consumer's assigner; this consumer is never run. Reading through the brokers keeps the position with the
 * task: kafkajs' own consumer resets it when it falls out of the log, and goes back to the group's offset after a
 * rebalance.
 */
export function openCluster(kafka: Kafka): Cluster {
  let captured: Cluster | undefined;
  kafka.consumer({
    groupId: "unused",
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
  if (!captured) throw new Error("kafkajs did not hand its cluster to the assigner");
  return captured;
}

/**
 * A question to the leader of a partition. When it fails, another broker may lead by now: kafkajs would find out only
 * when its metadata expires, after five minutes.
 */
export async function askLeader<T>(cluster: Cluster, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    await cluster.refreshMetadata().catch(() => undefined);
    throw error;
  }
}

/** First offset of a partition and the offset that its next record will get. */
export async function partitionBounds(
  cluster: Cluster,
  topic: string,
  partition: number,
): Promise<{ earliest: number; latest: number }> {
  await cluster.connect();
  await cluster.addTargetTopic(topic);
  const one = async (fromBeginning: boolean): Promise<number> => {
    const [answer] = await askLeader(cluster, () =>
      cluster.fetchTopicsOffset([{ topic, partitions: [{ partition }], fromBeginning }]),
    );
    const offset = answer?.partitions[0]?.offset;
    if (offset === undefined) throw new Error(`Kafka gave no offset of ${topic}/${partition}`);
    return Number(offset);
  };
  return { earliest: await one(true), latest: await one(false) };
}
