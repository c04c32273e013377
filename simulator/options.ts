import { parseArgs } from "node:util";
import { MillraceError } from "../domain/errors.ts";
import { imuLimits } from "../domain/imu.ts";
import { defaultSemantics } from "../domain/semantics.ts";
import { SECOND, type Milliseconds } from "../domain/time.ts";
import { noFaults, type Faults } from "./faults.ts";

/** The options of `npm run simulate`. */
export interface SimulatorOptions {
  /** @default all recorded sensors, or 20 synthetic ones */
  readonly sensors: number | undefined;
  /**
   * Folder of recordings.
   *
   * @default synthetic motion
   */
  readonly recordings: string | undefined;
  /** Samples per second of a synthetic sensor. */
  readonly rateHz: number;
  /** How much faster than real time the simulation runs. */
  readonly speed: number;
  readonly faults: Faults;
  readonly seed: number;
  readonly format: "json" | "packed";
  readonly batchMs: Milliseconds;
  readonly pauseMs: Milliseconds;
  /** @default no end */
  readonly durationMs: Milliseconds | undefined;
  /** Whether every recording (or one synthetic execution) is published once instead of in a loop. */
  readonly once: boolean;
  /** @default as many as needed */
  readonly connections: number | undefined;
  readonly mqttUrl: string | undefined;
  readonly reportFile: string | undefined;
}

/** Longer than the session gap, so that each execution is one session. */
const DEFAULT_PAUSE_MS = defaultSemantics.sessionGapMs + 1.5 * SECOND;

const HELP_HINT = "npm run simulate -- --help lists the options";

/** Output of `npm run simulate -- --help`. */
export const help = `npm run simulate -- [options]: sensors that publish by MQTT 5, QoS 1

  --sensors N        number of sensors (with --data as many as were recorded, otherwise 20)
  --data DIR         replay recordings (layout of sp-sw-har: DATA/s01/s01_01_sw.csv), every sample at its own pace:
                     sensors s01-sw and so on, then derived ones (s01-sw-2), which begin at another recording
  --rate HZ          samples per second of synthetic motion (100); recordings have their own rate
  --speed X          X times faster than real time (1); above 1 it begins in the past and ends now,
                     and repetitions after that run in real time
  --faults LIST      probability per message: duplicate=0.01,late=0.01,corrupt=0.001,disconnect=0.01
  --seed N           the same seed makes the same decisions (1)
  --format F         json or packed (json)
  --batch-ms MS      time that the readings of a message span (100)
  --pause-ms MS      silence between two executions (${DEFAULT_PAUSE_MS}); 0 for none;
                     above the session gap each execution is a session
  --once             publish every recording, or one synthetic execution, once, and end when all is acknowledged
  --duration S       end after S seconds
  --connections N    MQTT connections (one per 80 messages per second, at most 100)
  --mqtt-url URL     the broker (MQTT_URL, mqtt://127.0.0.1:1883)
  --report FILE      write the acknowledged messages at the end, as JSON: per sensor and execution start, end, samples
  --market           trades instead of sensors: npm run simulate -- --market --help
  --help             show this text`;

type Values = Partial<Record<string, string | boolean>>;

/**
 * Parses the command line of `npm run simulate`. Returns `"help"` when it has `--help` or `-h`.
 *
 * @throws MillraceError `arguments-invalid` that lists every problem.
 */
export function parseOptions(args: readonly string[]): SimulatorOptions | "help" {
  const values = parse(args);
  if (values["help"]) return "help";
  const problems: string[] = [];
  const text = (name: string): string | undefined => values[name] as string | undefined;
  const number = (name: string, min: number, max: number, whole: boolean): number | undefined => {
    const received = text(name);
    if (received === undefined) return undefined;
    const value = received.trim() === "" ? NaN : Number(received);
    if (value >= min && value <= max && (!whole || Number.isInteger(value))) return value;
    const expected = whole ? "a whole number" : "a number";
    problems.push(`--${name} is ${JSON.stringify(received)}: expected ${expected} from ${min} to ${max}`);
    return undefined;
  };
  const format = text("format") ?? "json";
  if (format !== "json" && format !== "packed")
    problems.push(`--format is ${JSON.stringify(format)}: expected json or packed`);
  const durationS = number("duration", 0.001, 1e9, false);
  const options: SimulatorOptions = {
    sensors: number("sensors", 1, 100_000, true),
    recordings: text("data"),
    rateHz: number("rate", 0.01, imuLimits.hz, false) ?? 100,
    speed: number("speed", 0.01, 10_000, false) ?? 1,
    faults: parseFaults(text("faults"), problems),
    seed: number("seed", 0, Number.MAX_SAFE_INTEGER, true) ?? 1,
    format: format === "packed" ? "packed" : "json",
    batchMs: number("batch-ms", 1, 60_000, false) ?? 100,
    pauseMs: number("pause-ms", 0, 3_600_000, false) ?? DEFAULT_PAUSE_MS,
    durationMs: durationS === undefined ? undefined : durationS * SECOND,
    once: values["once"] === true,
    connections: number("connections", 1, 1_000, true),
    mqttUrl: text("mqtt-url"),
    reportFile: text("report"),
  };
  if (problems.length > 0) {
    const list = problems.map((problem) => `  - ${problem}`).join("\n");
    throw new MillraceError("arguments-invalid", `the command line has mistakes:\n${list}\n${HELP_HINT}`);
  }
  return options;
}

function parse(args: readonly string[]): Values {
  const option = { type: "string" } as const;
  const named = [
    "sensors",
    "data",
    "rate",
    "speed",
    "faults",
    "seed",
    "format",
    "batch-ms",
    "pause-ms",
    "duration",
    "connections",
    "mqtt-url",
    "report",
  ];
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        ...Object.fromEntries(named.map((name) => [name, option])),
        once: { type: "boolean" },
        help: { type: "boolean", short: "h" },
      },
    });
    return values as Values;
  } catch (cause) {
    const message = `the command line has a mistake: ${(cause as Error).message}\n${HELP_HINT}`;
    throw new MillraceError("arguments-invalid", message, { cause });
  }
}

function parseFaults(text: string | undefined, problems: string[]): Faults {
  const faults: Record<string, number> = { ...noFaults };
  for (const part of text === undefined ? [] : text.split(",")) {
    const [name = "", value = ""] = part.split("=");
    const probability = value.trim() === "" ? NaN : Number(value);
    if (Object.hasOwn(noFaults, name) && probability >= 0 && probability <= 1) faults[name] = probability;
    else
      problems.push(
        `--faults has ${JSON.stringify(part)}: expected NAME=PROBABILITY ` +
          `with one of ${Object.keys(noFaults).join(", ")}, and a number from 0 to 1`,
      );
  }
  return faults as unknown as Faults;
}
