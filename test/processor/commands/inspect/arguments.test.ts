import { expect, test } from "@jest/globals";
import { parseInspectArguments } from "../../../../processor/commands/inspect/arguments.ts";

const parse = (line: string) => parseInspectArguments(line.split(" "));

test.each([
  ["--sensor s1", { pipeline: "sensor", key: "s1", window: undefined, json: false }],
  ["--symbol AAPL --json", { pipeline: "market", key: "AAPL", json: true }],
  ["--sensor s1 --window tumbling-1000@5000", { window: { operator: "tumbling-1000", start: 5_000 } }],
  [
    "--sensor s1 --window sliding-2000-1000@2026-01-31T12:00:00Z",
    { window: { operator: "sliding-2000-1000", start: Date.UTC(2026, 0, 31, 12) } },
  ],
])("%s", (line, expected) => {
  expect(parse(line)).toMatchObject(expected);
});

test.each([
  ["--json", "one of --sensor and --symbol is expected"],
  ["--sensor s1 --symbol AAPL", "one of --sensor and --symbol is expected"],
  ["--sensor s1 --window tumbling-1000", '--window is "tumbling-1000"; an operator and a start are expected'],
  ["--sensor s1 --window @5000", '--window is "@5000"; an operator and a start are expected'],
])("%s is refused", (line, problem) => {
  expect(() => parse(line)).toThrow(problem);
});
