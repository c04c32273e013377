import { resolve } from "node:path";
import { localPorts, type LocalPort } from "../config/local.ts";
import { MillraceError } from "../domain/errors.ts";
import { marketHelp, parseMarketOptions } from "../simulator/market/options.ts";
import { parseOptions } from "../simulator/options.ts";
import { findRecordings } from "../simulator/read-recordings.ts";
import { readAlarmProfile } from "./alarm-profile.ts";

/** The options of `npm start`. */
export interface StartOptions {
  /** The simulator's part of the command line, validated. */
  readonly simulatorArguments: readonly string[];
  /** Whether the simulators run. */
  readonly simulator: boolean;
  /** Whether the market runs beside the sensors. */
  readonly market: boolean;
  /** The market simulator's part of the command line, validated. */
  readonly marketArguments: readonly string[];
  /** Whether to delete the data of earlier starts. */
  readonly fresh: boolean;
  /** Whether to rebuild from the lake what was lost with the servers' data. @default false */
  readonly restore?: boolean;
  /**
   * Sessions and sensors that the store keeps, at most.
   *
   * @default `KEPT`
   */
  readonly keepSessions?: number;
  readonly keepSensors?: number;
  /**
   * JSON file of other thresholds and periods of alarms.
   *
   * @default those of `domain/alarms.ts`
   */
  readonly alarmsFile?: string;
  /** Folder of data, models and logs. */
  readonly home: string;
  readonly ports: Readonly<Record<LocalPort, number>>;
}

const MAX_PORT = 65_535;
/** What the local store keeps where nothing else is said. A day of twenty simulated sensors has 43,000 sessions. */
export const KEPT = { sessions: 50_000, sensors: 10_000, deadLetters: 2_000 } as const;

const portNames = Object.keys(localPorts) as LocalPort[];

/** The option that sets a port: `--port-kafka-controller` for `kafkaController`. */
export function portOption(name: LocalPort): string {
  return `--port-${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

const portLines = portNames.map((name) => `  ${`${portOption(name)} N`.padEnd(26)} (${localPorts[name]})`);

/** Output of `npm start -- --help`. */
export const startHelp = `npm start -- [options]: all of Millrace on this machine

  --sensors N        number of simulated sensors (20; with --data as many as were recorded)
  --rate HZ          samples per second of synthetic motion (100)
  --data DIR         replay recordings (layout of sp-sw-har: DIR/s01/s01_01_sw.csv) instead of synthetic motion
  --speed X          X times faster than real time (1)
  --faults LIST      probability per message, such as duplicate=0.01,late=0.01,corrupt=0.001,disconnect=0.01
  --seed N, --once, --format json|packed, --batch-ms MS, --pause-ms MS, --duration S
                     as for npm run simulate
  --market           trades, too: event bus, processor and simulated market beside those of the sensors
  --symbols N        number of simulated symbols (20)
  --trade-rate R     simulated trades per second, of all symbols together (50)
  --no-simulator     no simulated sensors and trades: publish your own readings to the MQTT broker
  --keep-sessions N  sessions that the API can list, at most (${KEPT.sessions}); those that began first go
  --keep-sensors N   sensors that the API can list, at most (${KEPT.sensors}); those not heard for longest go
  --alarms FILE      other thresholds and periods of alarms, to try them out (docs/observability.md)
  --fresh            delete the data of earlier starts
  --restore          rebuild from the lake what was lost with the servers' data; LOG_GENERATION is that of the new log
  --home DIR         folder for data and logs (.millrace)
${portLines.join("\n")}
  --help             show this text

To use servers of your own, set KAFKA_BROKERS, MQTT_URL, MONGODB_URI or DYNAMODB_ENDPOINT.
Millrace then starts no server of that kind.
The programs also read their settings, such as SESSION_GAP_MS, from the environment.`;

type Draft = { -readonly [K in keyof StartOptions]: StartOptions[K] } & {
  ports: Record<LocalPort, number>;
  simulatorArguments: string[];
  marketArguments: string[];
};
/** Applies an option's value; returns what was expected when the value is wrong. */
type Apply = (draft: Draft, value: string) => string | void;

/** Options of the market simulator, by the name that `npm run simulate -- --market` has for them. */
const marketOptions = { "--symbols": "--symbols", "--trade-rate": "--rate" } as const;
const simulatorOptions = [
  "--sensors",
  "--rate",
  "--data",
  "--speed",
  "--faults",
  "--seed",
  "--format",
  "--batch-ms",
  "--pause-ms",
  "--duration",
];
const withValue: Readonly<Record<string, Apply>> = {
  ...Object.fromEntries(
    simulatorOptions.map((name): [string, Apply] => [
      name,
      (draft, value) => void draft.simulatorArguments.push(`${name}=${name === "--data" ? resolve(value) : value}`),
    ]),
  ),
  ...Object.fromEntries(
    Object.entries(marketOptions).map(([name, own]): [string, Apply] => [
      name,
      (draft, value) => void draft.marketArguments.push(`${own}=${value}`),
    ]),
  ),
  "--keep-sessions": (draft, value) => positive(value, (n) => (draft.keepSessions = n)),
  "--keep-sensors": (draft, value) => positive(value, (n) => (draft.keepSensors = n)),
  "--alarms": (draft, value) => void (draft.alarmsFile = resolve(value)),
  "--home": (draft, value) => void (draft.home = resolve(value)),
  ...Object.fromEntries(
    portNames.map((name): [string, Apply] => [
      portOption(name),
      (draft, value) => port(value, (n) => (draft.ports[name] = n)),
    ]),
  ),
};
const flags: Readonly<Record<string, (draft: Draft) => void>> = {
  "--once": (draft) => void draft.simulatorArguments.push("--once"),
  "--market": (draft) => (draft.market = true),
  "--no-simulator": (draft) => (draft.simulator = false),
  "--fresh": (draft) => (draft.fresh = true),
  "--restore": (draft) => (draft.restore = true),
};

/**
 * Parses the command line of `npm start`. Returns `"help"` when it has `--help` or `-h`.
 *
 * @throws MillraceError `arguments-invalid` that lists every problem.
 */
export function parseStartOptions(args: readonly string[], home: string): StartOptions | "help" {
  if (args.includes("--help") || args.includes("-h")) return "help";
  const draft: Draft = {
    simulatorArguments: [],
    simulator: true,
    market: false,
    marketArguments: [],
    fresh: false,
    home,
    ports: { ...localPorts },
  };
  const problems: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!;
    const [name, inline] = arg.startsWith("--") && arg.includes("=") ? split(arg) : [arg, undefined];
    const apply = Object.hasOwn(withValue, name) ? withValue[name] : undefined;
    if (apply) {
      const next = args[i + 1];
      const value = inline ?? (next?.startsWith("--") ? undefined : next);
      if (inline === undefined && value !== undefined) i++;
      const expected = value === undefined ? "a value" : apply(draft, value);
      const received = inline ?? next;
      if (expected)
        problems.push(
          `${name} is ${received === undefined ? "the last word" : JSON.stringify(received)}: expected ${expected}`,
        );
    } else if (Object.hasOwn(flags, name) && inline === undefined) {
      flags[name]!(draft);
    } else {
      problems.push(`${arg} is not an option of npm start`);
    }
  }
  if (draft.fresh && draft.restore) problems.push("--restore needs the lake that --fresh deletes");
  problems.push(...alarmProblems(draft.alarmsFile));
  problems.push(...simulatorProblems(draft.simulatorArguments), ...marketProblems(draft), ...sharedPorts(draft.ports));
  if (problems.length > 0) {
    const list = problems.map((problem) => `  - ${problem}`).join("\n");
    throw new MillraceError(
      "arguments-invalid",
      `the command line has mistakes:\n${list}\nnpm start -- --help lists the options`,
    );
  }
  return draft;
}

function split(arg: string): [string, string] {
  const at = arg.indexOf("=");
  return [arg.slice(0, at), arg.slice(at + 1)];
}

function port(text: string, set: (value: number) => void): string | void {
  const value = /^[0-9]+$/.test(text) ? Number(text) : 0;
  if (value < 1 || value > MAX_PORT) return `a whole number from 1 to ${MAX_PORT}`;
  set(value);
}

function positive(text: string, set: (value: number) => void): string | void {
  const value = /^[0-9]{1,9}$/.test(text) ? Number(text) : 0;
  if (value < 1) return "a whole number from 1 to 999999999";
  set(value);
}

/** Problems of the file of thresholds. It is read again by whoever evaluates alarms. */
function alarmProblems(file: string | undefined): string[] {
  try {
    readAlarmProfile(file);
    return [];
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error;
    return [error.message];
  }
}

/** Problems of the market's options, under the names that they have here. */
function marketProblems({ market, marketArguments }: Draft): string[] {
  if (!market && marketArguments.length > 0)
    return [`${Object.keys(marketOptions).join(" and ")} are options of the market: give --market, too`];
  try {
    parseMarketOptions(marketArguments);
    return [];
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error;
    const [problems] = error.message.split(`\n${marketHelp}`);
    return problems!.split("\n").map((problem) => problem.replace(/^--rate /, "--trade-rate "));
  }
}

/** Problems that the simulator would find in its arguments and recordings. They are reported here, not in its log. */
function simulatorProblems(args: readonly string[]): string[] {
  try {
    const options = parseOptions(args);
    if (options !== "help" && options.recordings !== undefined) findRecordings(options.recordings);
    return [];
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error;
    const list = error.message.split("\n").flatMap((line) => (line.startsWith("  - ") ? [line.slice(4)] : []));
    return list.length > 0 ? list : [error.message.split("\n")[0]!];
  }
}

function sharedPorts(ports: Readonly<Record<LocalPort, number>>): string[] {
  const byPort = Map.groupBy(portNames, (name) => ports[name]);
  return [...byPort]
    .filter(([, names]) => names.length > 1)
    .map(([port, names]) => `${names.map(portOption).join(" and ")} are both ${port}`);
}
