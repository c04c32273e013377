import { describe, expect, it } from "@jest/globals";
import { parseBenchOptions, usage } from "../../bench/options.ts";

const names = ["windows", "platform"];

describe("options of npm run bench", () => {
  it("leaves out what was not given, so that each scenario has its own defaults", () => {
    expect(parseBenchOptions([], names)).toEqual({
      only: undefined,
      compare: undefined,
      flink: undefined,
      flinkVariant: "c",
      json: false,
    });
  });

  it("reads names, numbers and flags", () => {
    expect(
      parseBenchOptions(["--only", "platform,windows", "--warm-up=0", "--clients", "3", "--json"], names),
    ).toMatchObject({ only: ["platform", "windows"], warmUp: 0, clients: 3, json: true });
  });

  it("reports every problem at once", () => {
    expect(() =>
      parseBenchOptions(["--only", "windows,doors", "--messages", "12", "--rate", "", "--flink-variant", "d"], names),
    ).toThrow(
      [
        "--messages is 12: expected at least 10000",
        "--rate is : expected at least 1",
        "there is no scenario doors",
        "--flink-variant is d: expected a, b or c",
      ].join("\n"),
    );
  });

  it("refuses an option that does not exist", () => {
    expect(() => parseBenchOptions(["--sensor", "3"], names)).toThrow(/--sensor/);
  });

  it("asks for help", () => {
    expect(parseBenchOptions(["--help"], names)).toBe("help");
  });

  it("lists the scenarios of the table in its usage", () => {
    expect(usage({ windows: { about: "windows only" }, store: { about: "a full store" } })).toMatch(
      /^ {2}windows {2}windows only\n {2}store {4}a full store$/m,
    );
  });
});
