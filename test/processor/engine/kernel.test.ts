import { expect, test } from "@jest/globals";
import { Kernel } from "./simulated/kernel.ts";

test("an event behind the horizon of a run happens in the next one", async () => {
  const kernel = new Kernel(1);
  const happened: number[] = [];
  for (const at of [10, 20, 30]) kernel.schedule(at, null, () => happened.push(at));
  expect(await kernel.run(15, () => false)).toBe(false);
  expect(happened).toEqual([10]);
  expect(await kernel.run(30, () => false)).toBe(false);
  expect(happened).toEqual([10, 20, 30]);
});
