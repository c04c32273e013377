import { choice, whole, type Option } from "../../../adapters/command-line.ts";
import {
  semanticsOf,
  semanticsProblems,
  semanticsSettings,
  type Semantics,
  type semanticsTable,
} from "../../../domain/semantics.ts";

type OptionName = (typeof semanticsTable)[keyof Semantics]["option"];

/** The settings of the semantics as options, by the name of the option. */
export const semanticsOptions = Object.fromEntries(
  semanticsSettings.map(([, setting]): [string, Option<number> | Option<string>] => [
    setting.option,
    "choices" in setting ? choice(setting.choices) : whole(setting.min, setting.max),
  ]),
) as unknown as Readonly<Record<OptionName, Option<number | string>>>;

/** The options as lines of a usage. */
export const semanticsUsage = semanticsSettings
  .map(([, { option, doc }]) => `  --${option.padEnd(16)} ${doc}`)
  .join("\n");

/** What the options say; a window that is set alone is a tumbling one. */
export function readSemantics(values: { readonly [K in OptionName]?: number | string }): Partial<Semantics> {
  const given = semanticsSettings.map(([name, { option }]) => [name, values[option as OptionName]] as const);
  const semantics = Object.fromEntries(given.filter(([, value]) => value !== undefined)) as Partial<Semantics>;
  return semantics.windowMs === undefined ? semantics : { slideMs: semantics.windowMs, ...semantics };
}

/**
 * Contradictions among settings that are given, as sentences. A guard that nobody set does not restrict the lateness:
 * the guard protects a watermark from a device's wrong clock, and in records of the past that has already happened or
 * not.
 */
export function overrideProblems(override: Partial<Semantics>): string[] {
  const semantics = semanticsOf(override);
  const { futureGuardMs, allowedLatenessMs } = semantics;
  const guard = override.futureGuardMs ?? Math.min(futureGuardMs, allowedLatenessMs - 1);
  return semanticsProblems({ ...semantics, futureGuardMs: guard });
}
