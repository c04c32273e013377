import { describe, expect, test } from "@jest/globals";
import { parseStartOptions, startHelp } from "../../local/options.ts";

const parse = (line: string): ReturnType<typeof parseStartOptions> =>
  parseStartOptions(line.split(" ").filter(Boolean), "/home/millrace");

describe("npm start's command line", () => {
  test("has the simulator's defaults and the documented ports, and keeps data", () => {
    expect(parse("")).toEqual({
      simulatorArguments: [],
      simulator: true,
      market: false,
      marketArguments: [],
      fresh: false,
      home: "/home/millrace",
      ports: {
        mqtt: 1883,
        kafka: 9092,
        kafkaController: 9093,
        dynamodb: 8001,
        mongodb: 27017,
        api: 8000,
        dashboard: 8080,
        firehose: 8010,
        features: 8011,
        events: 8002,
        status: 8003,
      },
    });
  });

  test("accepts every option, with the value as the next word or after an equals sign", () => {
    expect(
      parse(
        "--sensors 50 --rate=12.5 --speed 4 --faults duplicate=0.01,late=0.02 --fresh --no-simulator " +
          "--port-kafka-controller 19093 --home /elsewhere",
      ),
    ).toMatchObject({
      simulatorArguments: ["--sensors=50", "--rate=12.5", "--speed=4", "--faults=duplicate=0.01,late=0.02"],
      fresh: true,
      simulator: false,
      home: "/elsewhere",
      ports: { kafkaController: 19093, kafka: 9092 },
    });
  });

  test("has a market with options of its own", () => {
    expect(parse("--market --symbols 50 --trade-rate=500 --seed 3")).toMatchObject({
      market: true,
      marketArguments: ["--symbols=50", "--rate=500"],
      simulatorArguments: ["--seed=3"],
    });
    expect(() => parse("--symbols 50")).toThrow("--symbols and --trade-rate are options of the market: give --market");
    const wrong = (): unknown => parse("--market --symbols 0 --trade-rate fast");
    expect(wrong).toThrow('--symbols is "0"; a whole number from 1 to 10000 is expected');
    expect(wrong).toThrow('--trade-rate is "fast"; a number from 0.01 to 10000 is expected');
    expect(wrong).not.toThrow("npm run simulate");
  });

  test("refuses to restore from a lake that it deletes", () => {
    expect(parse("--restore")).toMatchObject({ restore: true, fresh: false });
    expect(() => parse("--restore --fresh")).toThrow("--restore needs the lake that --fresh deletes");
  });

  test("reports all problems at once, with the received values", () => {
    const wrong = (): unknown =>
      parse(
        "--sensors 0 --rate fast --port-api 70000 --port-mqtt --verbose extra --faults duplicate=2,fire=1 " +
          "--data /no/such/folder --fresh=yes",
      );
    expect(wrong).toThrow(expect.objectContaining({ code: "arguments-invalid" }));
    for (const part of [
      '--sensors is "0"',
      '--rate is "fast"',
      '--port-api is "70000"',
      "--port-mqtt",
      "--verbose is not an option",
      "extra is not an option",
      '--faults has "duplicate=2"',
      '--faults has "fire=1"',
      "--fresh=yes is not an option",
    ])
      expect(wrong).toThrow(part);
  });

  test("reports a folder without recordings before anything is started", () => {
    expect(() => parse("--data /no/such/folder")).toThrow("--data /no/such/folder cannot be read");
    expect(() => parse(`--data ${import.meta.dirname}`)).toThrow("has no recordings");
  });

  test("refuses two servers on one port", () => {
    expect(() => parse("--port-api 8080")).toThrow("--port-api and --port-dashboard are both 8080");
  });

  test("reports a last option without its value", () => {
    expect(() => parse("--sensors")).toThrow("--sensors is the last word: expected a value");
  });

  test("--help overrides everything else, and names every option", () => {
    expect(parse("--nonsense --help")).toBe("help");
    for (const option of [
      "--sensors",
      "--rate",
      "--data",
      "--speed",
      "--faults",
      "--market",
      "--symbols",
      "--trade-rate",
      "--no-simulator",
      "--fresh",
      "--home",
      "--port-mqtt",
      "--port-kafka-controller",
      "KAFKA_BROKERS",
    ])
      expect(startHelp).toContain(option);
  });
});
