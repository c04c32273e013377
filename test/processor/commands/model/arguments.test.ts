import { expect, test } from "@jest/globals";
import { parseModelArguments } from "../../../../processor/commands/model/arguments.ts";

const parse = (...args: string[]): ReturnType<typeof parseModelArguments> => parseModelArguments(args);

test("a command comes with what it needs", () => {
  expect(parse("list", "--source", "s3://bucket/models")).toEqual({
    command: { name: "list" },
    source: "s3://bucket/models",
    brokers: undefined,
  });
  expect(parse("promote", "activity", "2").command).toEqual({
    name: "promote",
    model: "activity",
    version: "2",
    stage: "live",
    share: undefined,
  });
  expect(parse("promote", "none").command).toEqual({ name: "promote-none" });
  expect(parse("promote", "none", "2").command).toMatchObject({ name: "promote", model: "none", version: "2" });
  expect(parse("promote", "activity", "2", "--stage", "canary", "--share", "0.1").command).toMatchObject({
    stage: "canary",
    share: 0.1,
  });
});

test.each([
  [[], "a command is missing"],
  [["promot"], '"promot" is no command'],
  [["toString"], '"toString" is no command'],
  [["verify", "activity"], "verify takes NAME and VERSION; received 1 argument\n"],
  [["list", "activity", "2"], "list takes no arguments; received 2 arguments"],
  [["promote", "a", "1", "--stage", "canary"], "--stage canary needs --share"],
  [["promote", "a", "1", "--stage", "candidate"], '--stage is "candidate"; live, shadow or canary is expected'],
  [["promote", "a", "1", "--share", "1.5"], '--share is "1.5"; a share of the sensors above 0 and at most 1'],
])("%j is refused", (args, problem) => {
  expect(() => parse(...args)).toThrow(problem);
});
