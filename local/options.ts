import { resolve } from "node:path";
import { localPorts, type LocalPort } from "../config/local.ts";
import { MillraceError } from "../domain/errors.ts";

/** What `npm start` was asked for. */
export interface StartOptions {
  readonly sensors: number;
  readonly rateHz: number;
  /** Folder of recordings that the simulator replays; synthetic motion without it. */
  readonly recordings: string | undefined;
  readonly speed: number | undefined;
  readonly faults: string | undefined;
  readonly simulator: boolean;
  /** Forget the data of earlier starts. */
  readonly fresh: boolean;
  /** Folder of everything that is kept: data, logs. */
  readonly home: string;
  readonly ports: Readonly<Record<LocalPort, number>>;
}

const DEFAULT_SENSORS = 20;
const DEFAULT_RATE_HZ = 100;
const MAX_PORT = 65_535;
const portNames = Object.keys(localPorts) as LocalPort[];

/** `--port-kafka-controller` for `kafkaController`. */
export function portOption(name: LocalPort): string {
  return `--port-${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

export const startHelp = `npm start -- [options]: everything of Millrace on this machine

  --sensors N        simulated sensors (${DEFAULT_SENSORS})
  --rate HZ          samples a second of each (${DEFAULT_RATE_HZ})
  --data DIR         replay recordings (layout of sp-sw-har) instead of synthetic motion
  --speed X          replay that many times faster than real time (1)
  --faults LIST      faults of the devices, such as duplicate=0.01,late=0.01,corrupt=0.001,disconnect=0.01
  --no-simulator     no simulated sensors: publish your own to the MQTT broker
  --fresh            forget the data of earlier starts
  --home DIR         folder for data and logs (.millrace)
${portNames.map((name) => `  ${`${portOption(name)} N`.padEnd(26)} (${localPorts[name]})`).join("\n")}
  --help             this text

Servers of your own: KAFKA_BROKERS, MQTT_URL, MONGODB_URI, DYNAMODB_ENDPOINT; Millrace then starts none of that kind.
Settings of the programs, such as SESSION_GAP_MS, are taken from the environment.`;

type Draft = { -readonly [K in keyof StartOptions]: StartOptions[K] } & { ports: Record<LocalPort, number> };
/** Applies an option's value, or says what was expected instead. */
type Apply = (draft: Draft, value: string) => string | void;

const withValue: Readonly<Record<string, Apply>> = {
  "--sensors": (draft, value) => number(value, 1, 100_000, true, (n) => (draft.sensors = n)),
  "--rate": (draft, value) => number(value, 0, 10_000, false, (n) => (draft.rateHz = n)),
  "--speed": (draft, value) => number(value, 0, 10_000, false, (n) => (draft.speed = n)),
  "--data": (draft, value) => void (draft.recordings = resolve(value)),
  "--faults": (draft, value) => (/^[a-z-]+=[0-9.]+(,[a-z-]+=[0-9.]+)*$/.test(value) ? void (draft.faults = value) : "a list such as duplicate=0.01,late=0.01"),
  "--home": (draft, value) => void (draft.home = resolve(value)),
  ...Object.fromEntries(portNames.map((name): [string, Apply] => [portOption(name), (draft, value) => number(value, 1, MAX_PORT, true, (n) => (draft.ports[name] = n))])),
};
const flags: Readonly<Record<string, (draft: Draft) => void>> = {
  "--no-simulator": (draft) => (draft.simulator = false),
  "--fresh": (draft) => (draft.fresh = true),
};

/**
 * Reads the command line of `npm start`; `"help"` when that was asked for.
 * @throws MillraceError `arguments-invalid` that lists every problem.
 */
export function parseStartOptions(args: readonly string[], home: string): StartOptions | "help" {
  if (args.includes("--help") || args.includes("-h")) return "help";
  const draft: Draft = { sensors: DEFAULT_SENSORS, rateHz: DEFAULT_RATE_HZ, recordings: undefined, speed: undefined, faults: undefined, simulator: true, fresh: false, home, ports: { ...localPorts } };
  const problems: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!;
    const [name, inline] = arg.startsWith("--") && arg.includes("=") ? split(arg) : [arg, undefined];
    const apply = Object.hasOwn(withValue, name) ? withValue[name] : undefined;
    if (apply) {
      const value = inline ?? args[++i];
      const expected = value === undefined || (inline === undefined && value.startsWith("--")) ? "a value" : apply(draft, value);
      if (expected) problems.push(`${name} is ${value === undefined ? "the last word" : JSON.stringify(value)}: expected ${expected}`);
      if (inline === undefined && value?.startsWith("--")) i--;
    } else if (Object.hasOwn(flags, name) && inline === undefined) {
      flags[name]!(draft);
    } else {
      problems.push(`${arg} is not an option of npm start`);
    }
  }
  problems.push(...sharedPorts(draft.ports));
  if (problems.length > 0) throw new MillraceError("arguments-invalid", `the command line:\n${problems.map((problem) => `  - ${problem}`).join("\n")}\nnpm start -- --help lists the options`);
  return draft;
}

function split(arg: string): [string, string] {
  const at = arg.indexOf("=");
  return [arg.slice(0, at), arg.slice(at + 1)];
}

/** Bounds: `min` is exclusive when fractions are allowed (a rate of 0 makes no sense), inclusive otherwise; `max` is inclusive. */
function number(text: string, min: number, max: number, whole: boolean, set: (value: number) => void): string | void {
  const value = /^[0-9]+(\.[0-9]+)?$/.test(text) ? Number(text) : Number.NaN;
  const valid = whole ? Number.isInteger(value) && value >= min && value <= max : value > min && value <= max;
  if (!valid) return whole ? `a whole number from ${min} to ${max}` : `a number above ${min}, at most ${max}`;
  set(value);
}

function sharedPorts(ports: Readonly<Record<LocalPort, number>>): string[] {
  const byPort = Map.groupBy(portNames, (name) => ports[name]);
  return [...byPort].filter(([, names]) => names.length > 1).map(([port, names]) => `${names.map(portOption).join(" and ")} are both ${port}`);
}
