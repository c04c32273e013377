/**
 * A wildcard that statements may have. The values are those of the template, with references replaced by `<…>`; an
 * action may itself have a wildcard.
 */
export interface AllowedWildcard {
  /**
   * Stacks that may have the statement.
   *
   * @default any stack
   */
  readonly stacks?: readonly string[];
  /** The statement has no other actions than these. */
  readonly actions: readonly string[];
  /**
   * Form of the resources with a wildcard that the statement may have.
   *
   * @default none: only an action has a wildcard
   */
  readonly resource?: RegExp;
  /** Why AWS leaves no narrower choice, or what else narrows it. */
  readonly reason: string;
}

/** The resource `*`. */
export const ANY = /^\*$/;
/** All objects of one bucket of the stacks. */
export const OBJECTS_OF_A_BUCKET = /^<[^>]+>\/\*$/;
