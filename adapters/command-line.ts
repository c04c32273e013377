import { parseArgs } from "node:util";
import { MillraceError } from "../domain/errors.ts";
import { isPipelineName, pipelineNames, type PipelineName } from "../domain/pipelines.ts";
import { DAY, HOUR, MINUTE, SECOND, type EpochMs, type Milliseconds } from "../domain/time.ts";

/** An option of a command line: how its value is read. */
export interface Option<T> {
  /** A flag takes no value: it is given or not. */
  readonly isFlag: boolean;
  /** Reads the text behind the option. Undefined when it is not a value of this option. */
  read(received: string): T | undefined;
  /** What a value looks like, as the end of a sentence: `a whole number is expected`. */
  readonly expected: string;
}

/** A flag: `--flush`. */
export const flag: Option<boolean> = { isFlag: true, read: () => true, expected: "no value is expected" };

/** Any text that is not empty. */
export const text: Option<string> = {
  isFlag: false,
  read: (received) => (received === "" ? undefined : received),
  expected: "a value is expected",
};

/** A whole number from `min` to `max`, both inclusive, in decimal digits; a minus where `min` is below 0. */
export function whole(min = 0, max = Number.MAX_SAFE_INTEGER): Option<number> {
  return {
    isFlag: false,
    read: (received) => {
      const value = /^-?\d+$/.test(received) ? Number(received) : NaN;
      return value >= min && value <= max ? value : undefined;
    },
    expected:
      max === Number.MAX_SAFE_INTEGER
        ? `a whole number of at least ${min} is expected`
        : `a whole number from ${min} to ${max} is expected`,
  };
}

/** One of several words. */
export function choice<const T extends string>(words: readonly T[]): Option<T> {
  return {
    isFlag: false,
    read: (received) => words.find((word) => word === received),
    expected: `expected is one of ${words.join(", ")}`,
  };
}

const AGO = /^(\d+)([smhd])$/;
const UNITS: Readonly<Record<string, Milliseconds>> = { s: SECOND, m: MINUTE, h: HOUR, d: DAY };
const RFC_3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/;

/** A moment as epoch ms: given as such, as a time of RFC 3339, or as how long ago it was (`90s`, `15m`, `2h`, `1d`). */
export const instant: Option<EpochMs> = {
  isFlag: false,
  read: (received) => {
    const [, count, unit] = AGO.exec(received) ?? [];
    if (unit !== undefined) return Date.now() - Number(count) * UNITS[unit]!;
    if (/^\d{1,15}$/.test(received)) return Number(received);
    const parsed = RFC_3339.test(received) ? Date.parse(received) : NaN;
    return Number.isNaN(parsed) ? undefined : parsed;
  },
  expected: "a time is expected: epoch ms, such as 2026-01-31T12:00:00Z, or how long ago, such as 15m or 2h",
};

/** A pipeline of the table. */
export const pipelineOption: Option<PipelineName> = {
  isFlag: false,
  read: (received) => (isPipelineName(received) ? received : undefined),
  expected: `there is no such pipeline; there are: ${pipelineNames.join(", ")}`,
};

/** Options that say where the servers are. They override the environment variables of the same meaning. */
export const connectionOptions = { brokers: text, dynamodb: text };

/** The environment with what the connection options override. */
export function withConnectionOptions(
  env: Readonly<Record<string, string | undefined>>,
  { brokers, dynamodb }: { readonly brokers?: string | undefined; readonly dynamodb?: string | undefined },
): Record<string, string | undefined> {
  return {
    ...env,
    ...(brokers === undefined ? {} : { KAFKA_BROKERS: brokers }),
    ...(dynamodb === undefined ? {} : { DYNAMODB_ENDPOINT: dynamodb }),
  };
}

type Options = Readonly<Record<string, Option<unknown>>>;

/** Values of the options that were given. */
export type OptionValues<O extends Options> = { readonly [K in keyof O]?: O[K] extends Option<infer T> ? T : never };

/** What a command accepts. */
export interface CommandLine<O extends Options, R extends keyof O> {
  /** Printed by `--help`, and behind every problem. */
  readonly usage: string;
  /** By name, without the dashes. */
  readonly options: O;
  /** Options that must be given. @default none */
  readonly required?: readonly R[];
  /** Whether there may be arguments besides options. @default false */
  readonly takesPositionals?: boolean;
  /**
   * Problems that one option alone does not show, as sentences. It sees the options that could be read.
   *
   * @default none
   */
  readonly check?: (values: OptionValues<O>, positionals: readonly string[]) => readonly string[];
}

/** `--help` was given. The message is the usage; `runCommand` prints it. */
export class HelpRequested extends Error {}

/**
 * Reads the arguments of a command.
 *
 * @throws MillraceError `arguments-invalid` that lists every problem and the usage
 * @throws HelpRequested when `--help` is among the arguments
 */
export function parseCommandLine<const O extends Options, const R extends keyof O = never>(
  args: readonly string[],
  { usage, options, required = [], takesPositionals = false, check }: CommandLine<O, R>,
): {
  readonly values: OptionValues<O> & Required<Pick<OptionValues<O>, R>>;
  readonly positionals: readonly string[];
} {
  const values: Record<string, unknown> = {};
  const positionals: string[] = [];
  const problems: string[] = [];
  const missing = new Set<PropertyKey>(required);
  for (const token of tokensOf(args, options)) {
    if (token.kind === "option-terminator") continue;
    if (token.kind === "positional") {
      if (takesPositionals) positionals.push(token.value);
      else problems.push(`${JSON.stringify(token.value)} is no option`);
      continue;
    }
    const { name, rawName, value: received } = token;
    if (name === "help") throw new HelpRequested(usage);
    missing.delete(name);
    const option = Object.hasOwn(options, name) ? options[name]! : null;
    const problem = option === null ? `${rawName} is no option` : valueProblem(option, token);
    if (problem === null) values[name] = option!.read(received ?? "");
    else problems.push(problem);
  }
  for (const name of missing) problems.push(`--${String(name)} is missing`);
  const read = values as OptionValues<O> & Required<Pick<OptionValues<O>, R>>;
  problems.push(...(check?.(read, positionals) ?? []));
  if (problems.length > 0) throw invalidArguments(problems, usage);
  return { values: read, positionals };
}

/** The error of a command line with these problems. */
export function invalidArguments(problems: readonly string[], usage: string): MillraceError {
  return new MillraceError("arguments-invalid", `${problems.join("\n")}\n${usage}`);
}

/** Not strict, so that parseArgs reports every token instead of throwing at the first that is wrong. */
function tokensOf(args: readonly string[], options: Options) {
  const types = Object.entries(options).map(([name, { isFlag }]) => {
    return [name, { type: isFlag ? ("boolean" as const) : ("string" as const) }] as const;
  });
  return parseArgs({ args: [...args], strict: false, tokens: true, options: Object.fromEntries(types) }).tokens;
}

interface OptionToken {
  readonly rawName: string;
  readonly value: string | undefined;
  readonly inlineValue: boolean | undefined;
}

function valueProblem(option: Option<unknown>, { rawName, value, inlineValue }: OptionToken): string | null {
  if (option.isFlag) return value === undefined ? null : `${rawName} takes no value; received ${JSON.stringify(value)}`;
  // Without an equals sign, parseArgs takes the next option for the value.
  if (value === undefined || value === "" || (!inlineValue && value.startsWith("--")))
    return `${rawName} lacks its value`;
  return option.read(value) === undefined ? `${rawName} is ${JSON.stringify(value)}; ${option.expected}` : null;
}
