import { describe, expect, test } from "@jest/globals";
import { parseStartOptions, type StartOptions } from "../../local/options.ts";
import { localPrograms, PROGRAM_COUNT, type Program } from "../../local/programs.ts";
import { connectionsTo } from "../../local/servers/index.ts";

function programs(line: string): Map<string, Program> {
  const options = parseStartOptions(line.split(" ").filter(Boolean), "/home/millrace") as StartOptions;
  const healthPorts = Array.from({ length: PROGRAM_COUNT }, (_, i) => 20_000 + i);
  return new Map(localPrograms(options, connectionsTo(options.ports), healthPorts).map((each) => [each.name, each]));
}
const market = ["processor-market", "events", "simulator-market"];

describe("the programs of npm start", () => {
  test("are those of the sensors, which know of no other pipeline", () => {
    const started = programs("");
    expect([...started.keys()].filter((name) => market.includes(name))).toEqual([]);
    for (const name of ["gateway", "event-source", "live", "bridge"])
      expect([name, started.get(name)!.settings["PIPELINES"]]).toEqual([name, "sensor"]);
    expect(started.get("processor")!.settings["PIPELINE"]).toBe("sensor");
  });

  test("are with --market those of both pipelines, and each has a health port of its own", () => {
    const started = programs("--market --symbols 7 --trade-rate 9 --seed 3 --sensors 2 --port-events 18002");
    expect([...started.keys()]).toEqual(expect.arrayContaining(["processor", "simulator", ...market]));
    for (const name of ["gateway", "event-source", "live", "bridge"])
      expect([name, started.get(name)!.settings["PIPELINES"]]).toEqual([name, "sensor,market"]);
    const own = started.get("processor-market")!;
    expect([own.main, own.settings["PIPELINE"]]).toEqual(["processor/main.ts", "market"]);
    const simulator = started.get("simulator-market")!;
    expect(simulator.args).toEqual(["--market", "--symbols=7", "--rate=9", "--seed=3"]);
    expect(simulator.settings["EVENTS_ENDPOINT"]).toBe("http://127.0.0.1:18002");
    expect(started.get("events")!.settings).toMatchObject({
      EVENTS_PORT: "18002",
      EVENTS_DIR: "/home/millrace/data/events",
      KAFKA_BROKERS: "127.0.0.1:9092",
    });
    expect(new Set([...started.values()].map(({ healthPort }) => healthPort)).size).toBe(started.size);
  });

  test("have all their health ports in the gateway's settings, for the metrics of all", () => {
    const started = programs("");
    const healthPorts = [...started.values()].map(({ healthPort }) => healthPort);
    expect(started.get("gateway")!.settings["METRICS_PORTS"]).toBe(healthPorts.join(","));
  });

  test("have no simulator with --no-simulator", () => {
    const started = programs("--market --no-simulator");
    expect([...started.keys()].filter((name) => name.startsWith("simulator"))).toEqual([]);
    expect(started.has("events")).toBe(true);
  });
});
