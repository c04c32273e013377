import { expect, test } from "@jest/globals";
import { byKey, bySilence, KeyedState, SilenceList } from "../../../processor/runtime/keyed-state.ts";

function keyed(key: string, lastSeen: number, lastSeenAt = 0): KeyedState {
  return Object.assign(new KeyedState(key, 0, null, []), { lastSeen, lastSeenAt });
}

const keys = (list: readonly KeyedState[]): string => list.map(({ key }) => key).join("");

test("keys are ordered by silence, then by the step in which they were last seen, then by bytes", () => {
  const [a, b, c, d] = [keyed("a", 5, 9), keyed("b", 5, 8), keyed("c", 4, 9), keyed("d", 5, 9)];
  expect(keys([d, a, b, c].toSorted(bySilence))).toBe("cbad");
  expect(keys([d, a, c, b].toSorted(byKey))).toBe("abcd");
  expect([byKey(a, b), byKey(b, a), byKey(a, a)]).toEqual([-1, 1, 0]);
  expect(keys([keyed("a", 0), keyed("B", 0), keyed("_", 0)].toSorted(byKey))).toBe("B_a"); // as bytes, not as words
});

test("a list has its keys in that order, however they are put in and taken out", () => {
  const list = new SilenceList();
  const [a, b, c, d] = [keyed("a", 1), keyed("b", 2), keyed("c", 3), keyed("d", 4)];
  for (const one of [c, a, d, b]) list.insert(one);
  expect([list.size, list.first]).toEqual([4, a]);
  list.remove(c);
  list.remove(a);
  expect([list.size, list.first]).toEqual([2, b]);
  list.insert(a);
  expect(keys(list.takeSeenBefore(2))).toBe("a");
  expect(keys(list.takeSeenBefore(2))).toBe("");
  expect(keys(list.takeSeenBefore(Infinity))).toBe("bd");
  expect([list.size, list.first]).toEqual([0, null]);
  list.insert(d);
  expect(keys(list.takeSeenBefore(5))).toBe("d");
});
