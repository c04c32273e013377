import { expect, test } from "@jest/globals";
import {
  choice,
  flag,
  HelpRequested,
  instant,
  parseCommandLine,
  text,
  whole,
  withConnectionOptions,
} from "../../adapters/command-line.ts";

const line = {
  usage: "USAGE",
  options: { topic: text, from: whole(), count: whole(1, 9), side: choice(["left", "right"]), dry: flag },
};

test("options come with the type of their value", () => {
  const args = ["--topic", "a", "--from=12", "--count", "9", "--side", "left", "--dry"];
  expect(parseCommandLine(args, line).values).toEqual({ topic: "a", from: 12, count: 9, side: "left", dry: true });
  expect(parseCommandLine([], line).values).toEqual({});
});

test("all problems are reported at once, with the usage behind them", () => {
  const args = ["--count", "10", "--from", "-1", "--side=up", "--dry=yes", "--speed", "x", "--topic", "--dry"];
  expect(() => parseCommandLine(args, { ...line, check: () => ["one more"] })).toThrow(
    [
      '--count is "10"; a whole number from 1 to 9 is expected',
      '--from is "-1"; a whole number of at least 0 is expected',
      '--side is "up"; expected is one of left, right',
      '--dry takes no value; received "yes"',
      "--speed is no option",
      '"x" is no option',
      "--topic lacks its value",
      "one more",
      "USAGE",
    ].join("\n"),
  );
});

test.each([["--topic"], ["--topic="], ["--topic", ""]])("an option without a value is refused: %s %s", (...args) => {
  expect(() => parseCommandLine(args, line)).toThrow("--topic lacks its value");
});

test("a required option that is absent is missing, and one whose value is wrong is not", () => {
  const required = { ...line, required: ["topic", "count"] as const };
  expect(parseCommandLine(["--topic", "a", "--count", "2"], required).values.topic).toBe("a");
  expect(() => parseCommandLine(["--count", "x"], required)).toThrow(
    '--count is "x"; a whole number from 1 to 9 is expected\n--topic is missing\nUSAGE',
  );
});

test("names of every object are no options", () => {
  expect(() => parseCommandLine(["--constructor", "--toString"], line)).toThrow(
    "--constructor is no option\n--toString is no option",
  );
});

test("arguments besides options are taken where the command has such", () => {
  const { values, positionals } = parseCommandLine(["promote", "--dry", "model", "2"], {
    ...line,
    takesPositionals: true,
  });
  expect([values, positionals]).toEqual([{ dry: true }, ["promote", "model", "2"]]);
});

test("--help asks for the usage, whatever else is wrong", () => {
  expect(() => parseCommandLine(["--speed", "--help"], line)).toThrow(new HelpRequested("USAGE"));
});

test("connection options override the environment, and only what was given", () => {
  const env = { KAFKA_BROKERS: "a:1", DYNAMODB_ENDPOINT: "http://a", OTHER: "x" };
  expect(withConnectionOptions(env, { brokers: "b:2" })).toEqual({ ...env, KAFKA_BROKERS: "b:2" });
  expect(withConnectionOptions(env, { dynamodb: "http://b" })).toEqual({ ...env, DYNAMODB_ENDPOINT: "http://b" });
});

test("a moment is epoch ms, a time of RFC 3339, or how long ago it was", () => {
  expect(instant.read("1767225600000")).toBe(1_767_225_600_000);
  expect(instant.read("2026-01-01T00:00:00Z")).toBe(1_767_225_600_000);
  expect(instant.read("2026-01-01T01:30:00.5+01:30")).toBe(1_767_225_600_500);
  const before = Date.now();
  const ago = instant.read("90m")!;
  expect(ago).toBeGreaterThanOrEqual(before - 5_400_000);
  expect(ago).toBeLessThanOrEqual(Date.now() - 5_400_000);
  for (const wrong of ["", "-1", "1.5h", "2026-01-01", "2026-13-01T00:00:00Z", "1w"])
    expect([wrong, instant.read(wrong)]).toEqual([wrong, undefined]);
});
