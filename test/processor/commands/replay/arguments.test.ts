import { expect, test } from "@jest/globals";
import { parseReplayArguments } from "../../../../processor/commands/replay/arguments.ts";

const parse = (...options: string[]): ReturnType<typeof parseReplayArguments> =>
  parseReplayArguments(["--input", "x.ndjson", ...options]);

test("a lateness below the default future guard is accepted, down to 0", () => {
  expect(parse("--lateness", "2000").override).toEqual({ allowedLatenessMs: 2_000 });
  expect(parse("--lateness", "0").override.allowedLatenessMs).toBe(0);
});

test("a future guard that is not below the lateness is refused, with both values", () => {
  expect(() => parse("--lateness", "2000", "--future-guard", "2000")).toThrow(
    "futureGuardMs is 2000, not below allowedLatenessMs (2000)",
  );
  expect(() => parse("--future-guard", "300000")).toThrow(
    "futureGuardMs is 300000, not below allowedLatenessMs (300000)",
  );
  expect(parse("--lateness", "2000", "--future-guard", "1999").override.futureGuardMs).toBe(1_999);
});

test.each([
  '"file" is no option',
  "--speed is no option",
  '--window is "1.5"',
  '--lateness is "-1"',
  '--watermark is "sensors"',
])("all problems are reported at once: %s", (problem) => {
  expect(() => parse("--window", "1.5", "--lateness=-1", "--watermark", "sensors", "--speed", "2", "file")).toThrow(
    problem,
  );
});

test("a window without a slide is a tumbling window", () => {
  expect(parse("--window", "5000").override).toEqual({ windowMs: 5_000, slideMs: 5_000 });
  expect(parse("--window", "5000", "--slide", "500").override).toEqual({ windowMs: 5_000, slideMs: 500 });
});
