import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { groupByPrefix } from "../../dashboard/groups.ts";

const numbered = (prefix: string, count: number): string[] =>
  Array.from({ length: count }, (_, i) => `${prefix}${String(i).padStart(4, "0")}`);

test("ids are divided until no group has more than a hundred", () => {
  const groups = groupByPrefix([...numbered("hall-", 1_000), ...numbered("roof-", 30)]);
  expect(groups.map(({ prefix, ids }) => [prefix, ids.length])).toEqual([
    ...Array.from({ length: 10 }, (_, i) => [`hall-0${i}`, 100]),
    ["roof-00", 30],
  ]);
});

test("every id is in exactly one group, which begins with the group's text", () => {
  const id = fc.stringMatching(/^[ab:_-]{1,12}$/);
  fc.assert(
    fc.property(fc.uniqueArray(id, { maxLength: 400 }), (ids) => {
      const groups = groupByPrefix(ids);
      expect(groups.flatMap((group) => group.ids).sort()).toEqual(ids.toSorted());
      for (const { prefix, ids: members } of groups) {
        expect(members.length).toBeLessThanOrEqual(100);
        expect(members.every((member) => member.startsWith(prefix))).toBe(true);
      }
    }),
  );
});
