import { contractRules } from "./contract.ts";
import { identityRules } from "./identity.ts";
import type { Rule } from "./rule.ts";
import { sessionRules } from "./sessions.ts";
import { settingsRules } from "./settings.ts";
import { timeRules } from "./time.ts";
import { windowRules } from "./windows.ts";

/** Every rule that `docs/semantics.md` states. */
export const rules: readonly Rule[] = [
  ...contractRules,
  ...timeRules,
  ...windowRules,
  ...sessionRules,
  ...identityRules,
  ...settingsRules,
];
