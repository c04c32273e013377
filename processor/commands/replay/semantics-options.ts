import { choice, whole, type Option } from "../../../adapters/command-line.ts";
import { semanticsOf, semanticsSettings, type Semantics, type semanticsTable } from "../../../domain/semantics.ts";

type OptionName = (typeof semanticsTable)[keyof Semantics]["option"];

/** The settings of the semantics as options, by the name of the option. */
export const semanticsOptions = Object.fromEntries(
  semanticsSettings.map(([, setting]): [string, Option<number> | Option<string>] => [
    setting.option,
    "choices" in setting ? choice(setting.choices) : whole(setting.min, setting.max),
  ]),
) as unknown as Readonly<Record<OptionName, Option<number | string>>>;

/** The defaults with what the options say. */
export function readSemantics(values: { readonly [K in OptionName]?: number | string }): Semantics {
  const given = semanticsSettings.map(([name, { option }]) => [name, values[option as OptionName]] as const);
  const semantics = Object.fromEntries(given) as Partial<Semantics>;
  // A window that is set alone is a tumbling one.
  const slideMs = semantics.slideMs ?? semantics.windowMs;
  return semanticsOf({ ...semantics, slideMs });
}
