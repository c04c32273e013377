import { choice, whole, type Option } from "../../../adapters/command-line.ts";
import { semanticsSettings, type Semantics, type semanticsTable } from "../../../domain/semantics.ts";

type OptionName = (typeof semanticsTable)[keyof Semantics]["option"];

/** The settings of the semantics as options, by the name of the option. */
export const semanticsOptions = Object.fromEntries(
  semanticsSettings.map(([, setting]): [string, Option<number> | Option<string>] => [
    setting.option,
    "choices" in setting ? choice(setting.choices) : whole(setting.min, setting.max),
  ]),
) as unknown as Readonly<Record<OptionName, Option<number | string>>>;

/** What the options say; a window that is set alone is a tumbling one. */
export function readSemantics(values: { readonly [K in OptionName]?: number | string }): Partial<Semantics> {
  const given = semanticsSettings.map(([name, { option }]) => [name, values[option as OptionName]] as const);
  const semantics = Object.fromEntries(given.filter(([, value]) => value !== undefined)) as Partial<Semantics>;
  return semantics.windowMs === undefined ? semantics : { slideMs: semantics.windowMs, ...semantics };
}
