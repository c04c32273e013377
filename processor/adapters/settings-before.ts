import { MillraceError } from "../../domain/errors.ts";
import { type Semantics, semanticsSettings } from "../../domain/semantics.ts";
import { finishSha256 } from "./sha256-state.ts";

/**
 * The last release before settings stood in the log wrote, as its fingerprint, a SHA-256 over its code and then its
 * settings. This is that hash behind the code, with what of the code fills no block.
 */
const FORMER_CODE = {
  state: { words: "52be3cc3d3740a76e0b2df21ea24a06a9d10d933717336861164471d1165e119", bytes: 231_872 },
  rest: 'pplication/x-millrace-columns",\n} as const;\n',
};
/** The settings of that release, sorted. */
const FORMER_SETTINGS: readonly (keyof Semantics)[] = [
  "allowedLatenessMs",
  "expiryMs",
  "futureGuardMs",
  "idleTimeoutMs",
  "maxBootsPerSensor",
  "maxIntervalsPerSensor",
  "outOfOrdernessMs",
  "outputs",
  "sessionGapMs",
  "slideMs",
  "smoothingPercent",
  "tombstoneMs",
  "transformedFormat",
  "watermark",
  "windowMs",
];
/** Digits of a fingerprint. */
const DIGITS = 16;

/**
 * The settings that a fingerprint from before settings stood in the log names.
 *
 * @throws MillraceError `settings-unknown` when none of the candidates has it
 */
export function settingsBefore(former: string, candidates: readonly Semantics[]): Semantics {
  const found = candidates.find((settings) => formerFingerprint(settings) === former);
  if (found) return found;
  const variables = semanticsSettings.filter(([name]) => FORMER_SETTINGS.includes(name)).map(([, { env }]) => env);
  throw new MillraceError(
    "settings-unknown",
    `the state was made by code and settings ${former}, before settings stood in the log. Neither the defaults nor ` +
      "those of this program's environment have that fingerprint under the last release. Give the environment the " +
      `settings that the state was made under (${variables.join(", ")}), or, if another version made it, give them ` +
      "to `npm run recover -- --choice accept-new-code`, which takes them as they are.",
  );
}

/** The fingerprint that the last release wrote under these settings. */
export function formerFingerprint(settings: Semantics): string {
  const own = Object.fromEntries(FORMER_SETTINGS.map((name) => [name, settings[name]]));
  return finishSha256(FORMER_CODE.state, Buffer.from(FORMER_CODE.rest + JSON.stringify(own))).slice(0, DIGITS);
}
