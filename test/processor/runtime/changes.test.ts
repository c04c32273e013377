import { expect, test } from "@jest/globals";
import { MAX_CHANGES } from "../../../domain/controls.ts";
import { Changes } from "../../../processor/runtime/changes.ts";
import { Reader, Writer } from "../../../processor/runtime/codec.ts";

test("the last 1,000 changes are remembered, through a snapshot too", () => {
  expect(MAX_CHANGES).toBe(1_000);
  const changes = new Changes();
  for (let n = 0; n < 1_000; n++) changes.add(`change-${n}`);
  expect(changes.has("change-0")).toBe(true);
  changes.add("change-1000");
  expect(["change-0", "change-1", "change-1000"].map((change) => changes.has(change))).toEqual([false, true, true]);
  const writer = new Writer();
  changes.encode(writer);
  const restored = new Changes();
  restored.decode(new Reader(writer.take()));
  restored.add("change-1001");
  expect(["change-1", "change-2", "change-1001"].map((change) => restored.has(change))).toEqual([false, true, true]);
});
