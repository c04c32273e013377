import type { Environment } from "../schema.ts";
import { deployedRules } from "./deployed.ts";
import { networkRules } from "./network.ts";
import type { Rule } from "./rule.ts";
import { storeRules } from "./stores.ts";
import { streamingRules } from "./streaming.ts";
import { webRules } from "./web.ts";

const rules: readonly Rule[] = [...deployedRules, ...networkRules, ...streamingRules, ...storeRules, ...webRules];

/**
 * Contradictions between fields that are each well-formed, one sentence each, with the path of the field.
 *
 * @param config The sections that are well-formed; a rule that reads another one is left out
 */
export function contradictions(config: Partial<Environment>): string[] {
  return rules
    .filter(({ reads }) => reads.every((section) => config[section] !== undefined))
    .flatMap(({ conditions }) => conditions(config as Environment))
    .filter(([broken]) => broken)
    .map(([, problem]) => problem);
}
