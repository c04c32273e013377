import type { Cluster } from "kafkajs";

// A mapping's consumer group has no members: one program reads all partitions. So there is nothing to join, to keep
// alive or to wait for after a crash. The broker takes offsets for such a group as long as nobody joins it.

/** Generation and member of a commit for a group without members. */
const NO_MEMBER = { groupGenerationId: -1, memberId: "" } as const;

/** Offsets that a group has committed, by partition; none of a partition without one. */
export async function committedOffsets(
  cluster: Cluster,
  groupId: string,
  topic: string,
  partitions: readonly number[],
): Promise<Map<number, number>> {
  const coordinator = await cluster.findGroupCoordinator({ groupId });
  const asked = partitions.map((partition) => ({ partition, offset: "-1" }));
  const { responses } = await coordinator.offsetFetch({ groupId, topics: [{ topic, partitions: asked }] });
  const known = (responses[0]?.partitions ?? []).filter(({ offset }) => Number(offset) >= 0);
  return new Map(known.map(({ partition, offset }) => [partition, Number(offset)]));
}

/** Commits offsets of a group. @throws Error when the coordinator refuses, as for a group that has members */
export async function commitOffsets(
  cluster: Cluster,
  groupId: string,
  topic: string,
  offsets: ReadonlyMap<number, number>,
): Promise<void> {
  const coordinator = await cluster.findGroupCoordinator({ groupId });
  const partitions = [...offsets].map(([partition, offset]) => ({ partition, offset: String(offset) }));
  await coordinator.offsetCommit({ groupId, ...NO_MEMBER, topics: [{ topic, partitions }] });
}
