import type { Admin } from "kafkajs";

/** Records of a topic, over all partitions, that the group has not committed yet. */
export async function groupLag(admin: Admin, groupId: string, topic: string): Promise<number> {
  const [committed] = await admin.fetchOffsets({ groupId, topics: [topic] });
  const done = new Map((committed?.partitions ?? []).map(({ partition, offset }) => [partition, Number(offset)]));
  return (await admin.fetchTopicOffsets(topic)).reduce(
    (sum, { partition, high, low }) =>
      sum + Math.max(0, Number(high) - Math.max(done.get(partition) ?? -1, Number(low))),
    0,
  );
}
