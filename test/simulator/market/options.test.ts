import { expect, test } from "@jest/globals";
import { marketHelp, parseMarketOptions } from "../../../simulator/market/options.ts";

const parse = (line: string): ReturnType<typeof parseMarketOptions> => parseMarketOptions(line.split(" "));

test("the market's options have defaults, and all can be given", () => {
  expect(parse("--market")).toEqual({
    symbols: 20,
    rate: 50,
    recording: undefined,
    speed: 1,
    faults: { duplicate: 0, late: 0, corrupt: 0, cancelled: 0, conflict: 0 },
    seed: 1,
    durationMs: undefined,
    once: false,
    endpoint: undefined,
    reportFile: undefined,
  });
  expect(
    parse(
      "--market --symbols 50 --rate 500 --faults duplicate=0.5,conflict=1 --seed 7 --duration 1.5 --once " +
        "--endpoint http://127.0.0.1:1 --report r.json",
    ),
  ).toEqual({
    symbols: 50,
    rate: 500,
    recording: undefined,
    speed: 1,
    faults: { duplicate: 0.5, late: 0, corrupt: 0, cancelled: 0, conflict: 1 },
    seed: 7,
    durationMs: 1_500,
    once: true,
    endpoint: "http://127.0.0.1:1",
    reportFile: "r.json",
  });
  expect(parse("--market --data t.csv --speed 60")).toMatchObject({ recording: "t.csv", speed: 60 });
});

test("all problems are reported at once, and help names every option", () => {
  const wrong = (): unknown => parse("--market --symbols 0 --rate fast --faults fire=1 --endpoint here --data t.csv");
  for (const part of [
    '--symbols is "0"; a whole number from 1 to 10000',
    '--rate is "fast"; a number',
    '--faults is "fire=1"; NAME=PROBABILITY',
    '--endpoint is "here"; a URL',
  ])
    expect(wrong).toThrow(part);
  expect(() => parse("--market --data t.csv --rate 5")).toThrow("--data has its own symbols and rate");
  expect(() => parse("--market --speed 5")).toThrow("--speed is for recorded trades");
  for (const option of ["symbols", "rate", "data", "speed", "faults", "seed", "once", "duration", "endpoint", "report"])
    expect(marketHelp).toContain(`--${option}`);
});
