import type { Admin, Kafka } from "kafkajs";
import type { GroupState } from "./health.ts";

/**
 * Returns a function that reads the state of a consumer group of one topic. It connects an admin client on its first
 * call, and a new one on the call after a failure.
 */
export function groupReader(kafka: Kafka, groupId: string, topic: string): () => Promise<GroupState> {
  let connecting: Promise<Admin> | undefined;
  const connect = async (): Promise<Admin> => {
    const admin = kafka.admin();
    await admin.connect();
    return admin;
  };
  return async () => {
    connecting ??= connect();
    const used = connecting;
    try {
      return await readGroup(await used, groupId, topic);
    } catch (error) {
      if (connecting === used) connecting = undefined;
      void used.then((admin) => admin.disconnect()).catch(() => undefined);
      throw error;
    }
  };
}

async function readGroup(admin: Admin, groupId: string, topic: string): Promise<GroupState> {
  const [ends, committed, { groups }] = await Promise.all([
    admin.fetchTopicOffsets(topic),
    admin.fetchOffsets({ groupId, topics: [topic] }),
    admin.describeGroups([groupId]),
  ]);
  const offsets = new Map(
    committed.flatMap(({ partitions }) => partitions).map(({ partition, offset }) => [partition, Number(offset)]),
  );
  let lag: number | null = null;
  for (const { partition, high } of ends) {
    const offset = offsets.get(partition) ?? -1;
    if (offset >= 0) lag = (lag ?? 0) + Math.max(0, Number(high) - offset);
  }
  const group = groups[0];
  return { state: group?.state ?? "Dead", members: group?.members.length ?? 0, lag };
}
