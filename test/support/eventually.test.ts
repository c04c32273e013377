import { expect, test } from "@jest/globals";
import { eventually } from "./eventually.ts";

test("the first result that is wanted ends the wait; a look that throws is repeated", async () => {
  let looks = 0;
  const look = (): number => {
    if (looks++ === 0) throw new Error("not yet");
    return looks;
  };
  expect(await eventually(look, { until: (n) => n >= 4 })).toBe(4);
});

test("a wait that gives up says what it saw last", async () => {
  await expect(eventually(() => [1, 2], { until: ({ length }) => length === 3, limitMs: 10 })).rejects.toThrow(
    "not within 0.01 s; last seen: [ 1, 2 ]",
  );
  const reason = new Error("no answer");
  await expect(eventually(() => Promise.reject(reason), { limitMs: 10 })).rejects.toMatchObject({
    message: "not within 0.01 s; last seen: no answer",
    cause: reason,
  });
});
