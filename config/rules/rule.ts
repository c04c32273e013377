import type { Environment } from "../schema.ts";

/** One condition of a rule: whether the config breaks it, and the sentence that says so, with what was received. */
export type Condition = readonly [broken: boolean, problem: string];

/** A rule between fields that are each well-formed. */
export interface Rule {
  /** Sections of the config that the conditions read. The rule is left out while one of them is not well-formed. */
  readonly reads: readonly (keyof Environment)[];
  readonly conditions: (config: Environment) => readonly Condition[];
}

/** Makes a rule whose conditions can read the named sections and no others. */
export function rule<Section extends keyof Environment>(
  reads: readonly Section[],
  conditions: (config: Pick<Environment, Section>) => readonly Condition[],
): Rule {
  return { reads, conditions };
}
