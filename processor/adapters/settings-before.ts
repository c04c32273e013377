import { MillraceError } from "../../domain/errors.ts";
import type { Semantics } from "../../domain/semantics.ts";

/**
 * The settings that a fingerprint from before settings stood in the log names.
 *
 * @throws MillraceError `settings-unknown` when none of the candidates has it
 */
export function settingsBefore(former: string, candidates: readonly Semantics[]): Semantics {
  throw new MillraceError(
    "settings-unknown",
    `the state was made by code and settings ${former}, before settings stood in the log; none of the ` +
      `${candidates.length} sets that this program knows of has that fingerprint. Run \`npm run recover\`.`,
  );
}
