import { semanticsSettings, type Semantics } from "../../domain/semantics.ts";
import { choice, whole, type Setting } from "./setting.ts";

/** The settings of `domain/semantics.ts` as environment variables. */
export const semantics = Object.fromEntries(
  semanticsSettings.map(([name, setting]): [string, Setting<number> | Setting<string>] => [
    name,
    "choices" in setting
      ? choice(setting.env, setting.doc, setting.choices, setting.default)
      : whole(setting.env, setting.doc, setting.default, setting.min, setting.max),
  ]),
) as unknown as { readonly [K in keyof Semantics]: Setting<Semantics[K]> };
