import { parseArgs } from "node:util";

/** The options of `npm run bench`. A number that was not given is absent: each scenario has its own default. */
export interface BenchOptions extends Readonly<Partial<Record<NumberOption, number>>> {
  /** Names of scenarios, in order; a name may be given several times. */
  readonly only: readonly string[] | undefined;
  readonly compare: string | undefined;
  readonly flink: string | undefined;
  readonly flinkVariant: string;
  readonly json: boolean;
}

interface NumberSpec {
  readonly about: string;
  readonly min: number;
}

const numberOptions = {
  messages: { about: "messages of 20 readings in a filled topic (400000)", min: 10_000 },
  trades: { about: "trades in a filled topic (1000000)", min: 10_000 },
  rounds: { about: "how often what is compared runs in turns (3)", min: 1 },
  sensors: { about: "platform: sensors, in one run instead of the two of DESIGN's table; store: sensors (20)", min: 1 },
  hours: { about: "store: hours that it holds when it is asked (24)", min: 1 },
  rate: { about: "platform: samples per second of a sensor (100)", min: 1 },
  clients: { about: "platform: WebSocket clients, each on all sensors (0)", min: 0 },
  warmUp: { about: "platform: seconds before a measurement (180)", min: 0 },
  seconds: { about: "length of a measurement (latency 20, platform and store 60)", min: 1 },
  kills: { about: "recovery: how often a processor is killed in each variant (10)", min: 1 },
  minutes: { about: "length of the scenario hour (60)", min: 1 },
} as const satisfies Record<string, NumberSpec>;
type NumberOption = keyof typeof numberOptions;

/** The option that sets a number: `--warm-up` for `warmUp`. */
function optionName(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** Output of `npm run bench -- --help`. */
export function usage(scenarios: Readonly<Record<string, { readonly about: string }>>): string {
  const width = Math.max(...Object.keys(scenarios).map((name) => name.length));
  return [
    "npm run bench -- [--only NAME,…] [options]: measures Millrace on real servers, on this machine",
    "",
    "  --only NAME,…      run these scenarios (all but those that say so); a name may be given several times",
    ...Object.entries(numberOptions).map(([name, { about }]) => `  --${optionName(name)} N`.padEnd(21) + about),
    "  --compare REV      run this version and REV in turns over one filled topic; --only windows, packed, all, market",
    "  --flink DIR        folder of the Flink job",
    "  --flink-variant V  a, b or c (c)",
    "  --json             print the results as JSON",
    "  --help             show this text",
    "",
    "Scenarios:",
    ...Object.entries(scenarios).map(([name, { about }]) => `  ${name.padEnd(width)}  ${about}`),
    "",
    "CPU time is user and system time of the processes named, from /proc (macOS: ps).",
  ].join("\n");
}

/**
 * Parses the command line. Returns `"help"` when it has `--help`.
 *
 * @throws Error that lists every problem, one a line
 */
export function parseBenchOptions(args: readonly string[], scenarios: readonly string[]): BenchOptions | "help" {
  const text = { type: "string" } as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      ...Object.fromEntries(Object.keys(numberOptions).map((name) => [optionName(name), text])),
      only: text,
      compare: text,
      flink: text,
      "flink-variant": text,
      json: { type: "boolean" },
      help: { type: "boolean", short: "h" },
    },
  }) as { values: Partial<Record<string, string | boolean>> };
  if (values["help"]) return "help";
  const given = (name: string): string | undefined => values[name] as string | undefined;
  const problems: string[] = [];
  const numbers: Partial<Record<NumberOption, number>> = {};
  for (const [name, { min }] of Object.entries(numberOptions) as [NumberOption, NumberSpec][]) {
    const received = given(optionName(name));
    if (received === undefined) continue;
    numbers[name] = received.trim() === "" ? NaN : Number(received);
    if (!(numbers[name] >= min)) problems.push(`--${optionName(name)} is ${received}: expected at least ${min}`);
  }
  const only = given("only")?.split(",");
  for (const name of only ?? []) if (!scenarios.includes(name)) problems.push(`there is no scenario ${name}`);
  const flinkVariant = given("flink-variant") ?? "c";
  if (!/^[abc]$/.test(flinkVariant)) problems.push(`--flink-variant is ${flinkVariant}: expected a, b or c`);
  if (problems.length > 0) throw new Error(problems.join("\n"));
  return {
    ...numbers,
    only,
    compare: given("compare"),
    flink: given("flink"),
    flinkVariant,
    json: values["json"] === true,
  };
}
