import { expect, test } from "@jest/globals";
import { listedModels, promotionOf } from "../../lib/smoke/model.ts";

const hash = "a".repeat(64);
const list = (...stages: string[]): string =>
  stages.map((stage, n) => `activity 1.${n}.0 ${stage} ${stage === "unreadable" ? "" : hash}`).join("\n");

test.each([
  [[], ["promote", "none"]],
  [
    ["candidate", "candidate"],
    ["promote", "none"],
  ],
  [
    ["candidate", "live"],
    ["promote", "activity", "1.1.0"],
  ],
  [
    ["live", "shadow"],
    ["promote", "activity", "1.1.0", "--stage", "shadow"],
  ],
  [
    ["live", "canary", "shadow"],
    ["promote", "activity", "1.2.0", "--stage", "shadow"],
  ],
] as const)("of %j the promotion that changes nothing is %j", (stages, expected) => {
  expect(promotionOf(listedModels(list(...stages)))).toEqual(expected);
});

test("there is none beside a canary, nor where a model can't be read", () => {
  expect(() => promotionOf(listedModels(list("live", "canary")))).toThrow("activity 1.1.0 is a canary");
  expect(() => promotionOf(listedModels(list("live", "unreadable")))).toThrow("activity 1.1.0 can't be read");
});

test("a list is read among the other lines of a task's log", () => {
  const output = `{"level":"info","msg":"x live y"}\n${list("live")}\nno models in s3://bucket/models\n`;
  expect(listedModels(output)).toEqual([{ name: "activity", version: "1.0.0", stage: "live" }]);
});
