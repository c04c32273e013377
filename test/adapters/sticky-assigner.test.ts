import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { AssignerProtocol, type Cluster } from "kafkajs";
import { assignSticky, stickyAssigner } from "../../adapters/sticky-assigner.ts";

const members = fc.uniqueArray(
  fc.record({ id: fc.string({ minLength: 1, maxLength: 3 }), owned: fc.uniqueArray(fc.nat(20)) }),
  { minLength: 1, maxLength: 6, selector: ({ id }) => id },
);

describe("the sticky assigner", () => {
  test("gives each partition to one member, and members counts that differ by at most one", () => {
    fc.assert(
      fc.property(members, fc.nat(20), (group, count) => {
        const partitions = Array.from({ length: count }, (_, i) => i);
        const assigned = [...assignSticky(group, partitions).values()];
        expect(assigned.flat().sort((a, b) => a - b)).toEqual(partitions);
        const sizes = assigned.map((each) => each.length);
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
      }),
    );
  });

  test("moves to a new member only the partitions that it gets", () => {
    const before = [
      { id: "a", owned: [0, 1, 2, 3, 4] },
      { id: "b", owned: [5, 6, 7, 8, 9] },
    ];
    const after = assignSticky([...before, { id: "c", owned: [] }], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(after.get("a")!.every((partition) => before[0]!.owned.includes(partition))).toBe(true);
    expect(after.get("b")!.every((partition) => before[1]!.owned.includes(partition))).toBe(true);
    expect(after.get("c")).toHaveLength(3);
  });

  test("gives the partitions of a member that left to the others, who keep their own", () => {
    const after = assignSticky(
      [
        { id: "a", owned: [0, 1] },
        { id: "b", owned: [2, 3] },
      ],
      [0, 1, 2, 3, 4, 5],
    );
    expect(after.get("a")).toEqual(expect.arrayContaining([0, 1]));
    expect(after.get("b")).toEqual(expect.arrayContaining([2, 3]));
  });

  test("gives a member the partitions of the same number of all topics", async () => {
    const counts: Record<string, number> = { long: 4, short: 2 };
    const cluster = {
      findTopicPartitionMetadata: (topic: string) =>
        Array.from({ length: counts[topic]! }, (_, partitionId) => ({ partitionId })),
    } as unknown as Cluster;
    const assigner = stickyAssigner(["long", "short"], () => [1, 3])({ cluster } as never);
    const { metadata } = assigner.protocol({ topics: ["long", "short"] });
    const other = stickyAssigner(["long", "short"], () => [])({ cluster } as never).protocol({
      topics: ["long", "short"],
    });
    const assigned = await assigner.assign({
      members: [
        { memberId: "a", memberMetadata: metadata },
        { memberId: "b", memberMetadata: other.metadata },
      ],
      topics: ["long", "short"],
    });
    expect(
      assigned.map(({ memberId, memberAssignment }) => [
        memberId,
        AssignerProtocol.MemberAssignment.decode(memberAssignment)!.assignment,
      ]),
    ).toEqual([
      ["a", { long: [1, 3], short: [1] }],
      ["b", { long: [0, 2], short: [0] }],
    ]);
  });
});
