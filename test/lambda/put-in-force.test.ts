import { describe, expect, test } from "@jest/globals";
import { MillraceError } from "../../domain/errors.ts";
import { defaultSemantics } from "../../domain/semantics.ts";
import { putInForce } from "../../lambda/create-topics/put-in-force.ts";

const refused = new MillraceError("settings-refused", "a task of an older version");

describe("settings of a deployment", () => {
  test("are tried again while a task can't read them, and are in force then", async () => {
    const answers = [refused, refused, null];
    const given: unknown[] = [];
    const made = await putInForce(
      (settings) => {
        given.push(settings);
        const answer = answers.shift();
        return answer ? Promise.reject(answer) : Promise.resolve("change");
      },
      defaultSemantics,
      () => 1_000,
      1,
    );
    expect([made, given.length]).toEqual(["change", 3]);
    expect(given[2]).toBe(defaultSemantics);
  });

  test("fail with the reason when the time is over, and with any other error at once", async () => {
    const never = (error: Error, left: number): Promise<unknown> =>
      putInForce(
        () => Promise.reject(error),
        defaultSemantics,
        () => left,
        1,
      );
    await expect(never(refused, 2)).rejects.toBe(refused);
    await expect(never(new Error("no broker"), 1_000)).rejects.toThrow("no broker");
  });
});
