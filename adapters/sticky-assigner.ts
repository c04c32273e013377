import { AssignerProtocol, type GroupMember, type PartitionAssigner } from "kafkajs";

const NAME = "millrace-sticky";
const VERSION = 1;

/** A member of the group, before an assignment. */
export interface StickyMember {
  readonly id: string;
  /** Partitions that it owned before this rebalance. */
  readonly owned: readonly number[];
}

/**
 * Spreads partitions evenly: counts differ by at most one. Moves as few as possible, because a moved task has to
 * restore and catch up. kafkajs has only a round-robin assigner, which moves almost all.
 *
 * @param members At least one.
 * @returns Partitions by member id.
 */
export function assignSticky(members: readonly StickyMember[], partitions: readonly number[]): Map<string, number[]> {
  const sorted = [...members].sort((a, b) => b.owned.length - a.owned.length || (a.id < b.id ? -1 : 1));
  const fair = Math.floor(partitions.length / sorted.length);
  let larger = partitions.length % sorted.length;
  const free = new Set(partitions);
  const assigned = new Map<string, number[]>();
  const room = new Map<string, number>();
  for (const { id, owned } of sorted) {
    const capacity = fair + (larger > 0 ? 1 : 0);
    if (larger > 0) larger--;
    const kept = owned.filter((partition) => free.has(partition)).slice(0, capacity);
    for (const partition of kept) free.delete(partition);
    assigned.set(id, kept);
    room.set(id, capacity - kept.length);
  }
  for (const partition of [...free].sort((a, b) => a - b)) {
    const [id] = [...room].find(([, left]) => left > 0)!;
    assigned.get(id)!.push(partition);
    room.set(id, room.get(id)! - 1);
  }
  return assigned;
}

/**
 * The assigner of one member of a group that reads these topics. Partitions of the same number stay together: a member
 * has them of all topics. `owned` gives the numbers that it owns.
 */
export function stickyAssigner(topics: readonly string[], owned: () => readonly number[]): PartitionAssigner {
  return ({ cluster }) => ({
    name: NAME,
    version: VERSION,
    assign({ members }) {
      const partitionsOf = new Map(
        topics.map((topic) => [
          topic,
          new Set(cluster.findTopicPartitionMetadata(topic).map(({ partitionId }) => partitionId)),
        ]),
      );
      const numbers = [...new Set([...partitionsOf.values()].flatMap((partitions) => [...partitions]))];
      const assigned = assignSticky(
        members.map(stickyMember),
        numbers.sort((a, b) => a - b),
      );
      return Promise.resolve(
        [...assigned].map(([memberId, mine]) => ({
          memberId,
          memberAssignment: AssignerProtocol.MemberAssignment.encode({
            version: VERSION,
            assignment: Object.fromEntries(
              [...partitionsOf].map(([topic, partitions]) => [topic, mine.filter((number) => partitions.has(number))]),
            ),
            userData: Buffer.alloc(0),
          }),
        })),
      );
    },
    protocol: ({ topics: subscribed }) => ({
      name: NAME,
      metadata: AssignerProtocol.MemberMetadata.encode({
        version: VERSION,
        topics: subscribed,
        userData: Buffer.from(JSON.stringify(owned())),
      }),
    }),
  });
}

function stickyMember({ memberId, memberMetadata }: GroupMember): StickyMember {
  const text = AssignerProtocol.MemberMetadata.decode(memberMetadata)?.userData.toString() ?? "";
  return { id: memberId, owned: text === "" ? [] : (JSON.parse(text) as number[]) };
}
