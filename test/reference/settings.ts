import { type Semantics, semanticsProblems, semanticsSettings } from "../../domain/semantics.ts";

/** The settings of a record's header; null where it does not hold the whole set, or a set that contradicts itself. */
export function readSettings(header: string | undefined): Semantics | null {
  let received: Record<string, unknown>;
  try {
    received = JSON.parse(header ?? "") as Record<string, unknown>;
  } catch {
    return null;
  }
  if (received === null || typeof received !== "object" || Array.isArray(received)) return null;
  if (Object.keys(received).length !== semanticsSettings.length) return null;
  for (const [name, setting] of semanticsSettings) {
    const value = received[name];
    const fits =
      "choices" in setting
        ? setting.choices.some((choice) => choice === value)
        : Number.isInteger(value) && setting.min <= Number(value) && Number(value) <= setting.max;
    if (!fits) return null;
  }
  const settings = received as unknown as Semantics;
  return semanticsProblems(settings).length > 0 ? null : settings;
}
