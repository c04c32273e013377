import { readFileSync } from "node:fs";
import { z } from "zod";
import type { AlarmSpec } from "../domain/alarm-spec.ts";
import { alarms } from "../domain/alarms.ts";
import { MillraceError } from "../domain/errors.ts";

const profileSchema = z.strictObject({
  periodFactor: z.number().positive().max(1).default(1),
  alarms: z
    .partialRecord(
      z.enum(alarms.map(({ name }) => name) as [string, ...string[]]),
      z.strictObject({
        threshold: z.number().optional(),
        periodMs: z.int().min(1_000).optional(),
        periods: z.int().min(1).max(60).optional(),
      }),
    )
    .default({}),
});

/** Other thresholds and periods than `domain/alarms.ts` has, for whoever tries alarms out. */
export interface AlarmProfile {
  /** What all periods are multiplied by, but those that the profile names. */
  readonly periodFactor: number;
  readonly alarms: readonly AlarmSpec[];
}

/**
 * The alarms with the changes of a profile, a JSON file such as `{"periodFactor": 0.05, "alarms": {"lag-sensor":
 * {"threshold": 500, "periodMs": 2000, "periods": 1}}}`.
 *
 * @param file Undefined for the alarms as they are
 * @throws MillraceError `arguments-invalid` with every problem of the file
 */
export function readAlarmProfile(file: string | undefined): AlarmProfile {
  if (file === undefined) return { periodFactor: 1, alarms };
  const problem = (list: string): MillraceError =>
    new MillraceError("arguments-invalid", `--alarms ${file}: expected a JSON file of other thresholds. ${list}`);
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw problem((error as Error).message);
  }
  const { success, data, error } = profileSchema.safeParse(json);
  if (!success)
    throw problem(error.issues.map(({ path, message }) => `${path.join(".") || "the file"}: ${message}`).join("; "));
  return {
    periodFactor: data.periodFactor,
    alarms: alarms.map((spec) => {
      const own = data.alarms[spec.name];
      return {
        ...spec,
        threshold: own?.threshold ?? spec.threshold,
        periodMs: own?.periodMs ?? spec.periodMs * data.periodFactor,
        periods: own?.periods ?? spec.periods,
      };
    }),
  };
}
