import { expect, it } from "@jest/globals";
import { inTurns } from "../../bench/turns.ts";

it("runs pairs in a row, and changes who is first", async () => {
  const order: string[] = [];
  const run = (name: string) => async () => {
    order.push(name);
    await Promise.resolve();
    return `${name}${order.length}`;
  };
  const seen: number[] = [];
  const pairs = await inTurns(3, run("a"), run("b"), (_, round) => seen.push(round));
  expect(order.join("")).toBe("abbaab");
  expect(pairs).toEqual([
    ["a1", "b2"],
    ["a4", "b3"],
    ["a5", "b6"],
  ]);
  expect(seen).toEqual([1, 2, 3]);
});
