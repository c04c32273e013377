import { MillraceError } from "../domain/errors.ts";
import { semanticsProblems, type Semantics } from "../domain/semantics.ts";
import { functions } from "./settings/functions.ts";
import { localPrograms } from "./settings/local-programs.ts";
import type { Setting } from "./settings/setting.ts";
import { common, kafka } from "./settings/shared.ts";
import { streamPrograms } from "./settings/stream-programs.ts";

/** Settings per program: CDK and the local platform write them, the programs read them. */
export const programs = {
  ...streamPrograms,
  ...functions,
  /** Tools around Kafka: the functions `create-topics`, `produce-test` and `consume-test`. */
  kafkaTools: { ...common, ...kafka },
  ...localPrograms,
} as const;

export type ProgramName = keyof typeof programs;
type Values<P> = { [K in keyof P]: P[K] extends Setting<infer T> ? T : never };
export type Settings<P extends ProgramName> = Values<(typeof programs)[P]>;

/**
 * Reads a program's settings from its environment.
 *
 * @throws MillraceError `config-invalid` that lists every problem: variable, value received, what was expected.
 */
export function readSettings<P extends ProgramName>(
  program: P,
  env: Readonly<Record<string, string | undefined>>,
): Settings<P> {
  const problems: string[] = [];
  const values: Record<string, unknown> = {};
  for (const [name, setting] of Object.entries(programs[program] as Record<string, Setting<unknown>>)) {
    const read = readSetting(setting, env[setting.env]);
    if ("problem" in read) problems.push(read.problem);
    else values[name] = read.value;
  }
  if (program === "processor") problems.push(...semanticsProblems(values as unknown as Semantics));
  if (problems.length > 0)
    throw new MillraceError(
      "config-invalid",
      `settings of ${program}:\n${problems.map((problem) => `  - ${problem}`).join("\n")}`,
    );
  return values as Settings<P>;
}

/** The value of one setting, or the sentence that says why there is none. An empty variable counts as absent. */
function readSetting(
  setting: Setting<unknown>,
  received: string | undefined,
): { readonly value: unknown } | { readonly problem: string } {
  const { env, schema, doc } = setting;
  if (received === undefined || received === "")
    return "default" in setting ? { value: setting.default } : { problem: `${env} is missing: ${doc}` };
  const { success, data, error } = schema.safeParse(received);
  if (success) return { value: data };
  const reasons = error.issues.map(({ message }) => message).join(", ");
  return { problem: `${env} is ${JSON.stringify(received)}: ${reasons} (${doc})` };
}

/** Writes settings as the environment that `readSettings` reads; absent values are left to their defaults. */
export function writeSettings<P extends ProgramName>(program: P, values: Partial<Settings<P>>): Record<string, string> {
  const env: Record<string, string> = {};
  for (const [name, setting] of Object.entries(programs[program] as Record<string, Setting<unknown>>)) {
    const value = (values as Record<string, string | number | readonly string[] | undefined>)[name];
    if (value !== undefined) env[setting.env] = String(value);
  }
  return env;
}
