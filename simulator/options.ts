import { parseArgs } from "node:util";
import { MillraceError } from "../domain/errors.ts";
import { defaultSemantics, imuLimits } from "../domain/imu.ts";
import { SECOND, type Milliseconds } from "../domain/time.ts";
import { noFaults, type Faults } from "./faults.ts";

/** What `npm run simulate` was asked for. */
export interface SimulatorOptions {
  /** All that were recorded when absent, or 20 synthetic ones. */
  readonly sensors: number | undefined;
  /** Folder of recordings; synthetic motion without it. */
  readonly recordings: string | undefined;
  /** Samples a second of a synthetic sensor. */
  readonly rateHz: number;
  readonly speed: number;
  readonly faults: Faults;
  readonly seed: number;
  readonly format: "json" | "packed";
  readonly batchMs: Milliseconds;
  readonly pauseMs: Milliseconds;
  /** How long to publish; without end when absent. */
  readonly durationMs: Milliseconds | undefined;
  /** Every recording (or one synthetic execution) once instead of over and over. */
  readonly once: boolean;
  /** As many as needed when absent. */
  readonly connections: number | undefined;
  readonly mqttUrl: string | undefined;
  readonly reportFile: string | undefined;
}

/** More than the session gap, so that executions are sessions of their own. */
const DEFAULT_PAUSE_MS = defaultSemantics.sessionGapMs + 1.5 * SECOND;

export const help = `npm run simulate -- [options]: sensors that publish by MQTT 5, QoS 1

  --sensors N        how many (with --data: as many as were recorded; otherwise 20)
  --data DIR         replay recordings (layout of sp-sw-har: DATA/s01/s01_01_sw.csv), every sample at its own pace; s01-sw
                     and so on, then sensors derived from them (s01-sw-2): the same recordings, begun elsewhere
  --rate HZ          samples a second of synthetic motion (100); recordings have their own rate
  --speed X          so many times faster than real time (1): above 1 it begins in the past and ends now; what repeats
                     after that runs in real time
  --faults LIST      probability per message: duplicate=0.01,late=0.01,corrupt=0.001,disconnect=0.01
  --seed N           the same seed makes the same decisions (1)
  --format F         json or packed (json)
  --batch-ms MS      length of the readings in a message (100)
  --pause-ms MS      silence between two executions (${DEFAULT_PAUSE_MS}): above the session gap each is a session; 0 for none
  --once             every recording, or one synthetic execution, once; ends when all is acknowledged
  --duration S       end after so many seconds
  --connections N    MQTT connections (one for every 80 messages a second, 100 at most)
  --mqtt-url URL     the broker (MQTT_URL, mqtt://127.0.0.1:1883)
  --report FILE      write at the end, as JSON, what was acknowledged: per sensor and execution start, end, samples
  --help             this text`;

type Values = Partial<Record<string, string | boolean>>;

/**
 * Reads the command line; `"help"` when that was asked for.
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
    problems.push(
      `--${name} is ${JSON.stringify(received)}: expected ${whole ? "a whole number" : "a number"} from ${min} to ${max}`,
    );
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
  if (problems.length > 0)
    throw new MillraceError(
      "arguments-invalid",
      `the command line:\n${problems.map((problem) => `  - ${problem}`).join("\n")}\nnpm run simulate -- --help lists the options`,
    );
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
    throw new MillraceError(
      "arguments-invalid",
      `the command line: ${(cause as Error).message}\nnpm run simulate -- --help lists the options`,
      { cause },
    );
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
        `--faults has ${JSON.stringify(part)}: expected one of ${Object.keys(noFaults).join(", ")}, = and a probability from 0 to 1`,
      );
  }
  return faults as unknown as Faults;
}
