import { expect, test } from "@jest/globals";
import { parseDeadLettersArguments } from "../../../../processor/commands/dead-letters/arguments.ts";

const parse = (line: string) => parseDeadLettersArguments(line.split(" ").filter((word) => word !== "")).command;

test("filters, ids and flags are read", () => {
  expect(parse("list --code out-of-range --sensor s1 --from 1000 --limit 5 --json")).toEqual({
    name: "list",
    filter: { ids: [], code: "out-of-range", sensor: "s1", symbol: undefined, from: 1000, to: undefined },
    limit: 5,
    json: true,
  });
  expect(parse("show dead-letter/0/1")).toMatchObject({ name: "show", id: "dead-letter/0/1" });
  expect(parse("send-again a b --dry-run")).toMatchObject({ filter: { ids: ["a", "b"] }, dryRun: true });
});

test.each([
  ["", "a command is missing"],
  ["purge", '"purge" is no command'],
  ["list x", "list takes no arguments; received 1"],
  ["list --all", "list takes no --all"],
  ["list --limit 1001", '--limit is "1001"; a whole number from 1 to 1000 is expected'],
  ["list --from yesterday", '--from is "yesterday"; a time is expected'],
  ["show", "show takes one ID; received 0"],
  ["show a --code out-of-range", "show takes no --code"],
  ["send-again", "send-again takes IDs, filters, or --all"],
  ["send-again a --sensor s", "send-again takes either IDs, or filters and --all"],
])("%j is refused", (line, problem) => {
  expect(() => parse(line)).toThrow(problem);
});
