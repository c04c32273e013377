import { Validations, type CfnResource, type Stack } from "aws-cdk-lib";
import type { IConstruct } from "constructs";

/** A finding of cdk-nag that is accepted where it is. */
export interface Acceptance {
  /** The rule, without the pack's name: `S1`. */
  readonly rule: string;
  /**
   * End of the finding's text, for rules that find several things at one construct.
   *
   * @default every finding of the rule
   */
  readonly ending?: string;
  /** Why the finding does no harm here. */
  readonly reason: string;
}

const accepted = new WeakMap<IConstruct, Acceptance[]>();

function accept(construct: IConstruct, acceptances: readonly Acceptance[]): void {
  accepted.set(construct, [...(accepted.get(construct) ?? []), ...acceptances]);
}

/** The acceptance that covers a finding at a construct: the construct's own, or that of a scope around it. */
export function acceptanceOf(construct: IConstruct, rule: string, finding?: string): Acceptance | undefined {
  for (const scope of construct.node.scopes.toReversed()) {
    const found = accepted
      .get(scope)
      ?.find(
        (acceptance) =>
          acceptance.rule === rule &&
          (acceptance.ending === undefined || (finding !== undefined && finding.endsWith(acceptance.ending))),
      );
    if (found) return found;
  }
  return undefined;
}

/** Accepts every finding of some rules at a construct and below it. `reasons` has a reason for each rule. */
export function acknowledge(construct: IConstruct, reasons: Readonly<Record<string, string>>): void {
  accept(
    construct,
    Object.entries(reasons).map(([rule, reason]) => ({ rule, reason })),
  );
}

/**
 * Accepts single wildcards of the policies below a construct. Other wildcards are still found.
 *
 * @param reasons A reason for each ending of an action or resource: `s3:GetObject*`, `/features/*`. The ending `*` is
 *   the resource `*`
 */
export function acknowledgeWildcards(construct: IConstruct, reasons: Readonly<Record<string, string>>): void {
  accept(
    construct,
    Object.entries(reasons).map(([ending, reason]) => ({
      rule: "IAM5",
      ending: ending === "*" ? "Resource::*" : ending,
      reason,
    })),
  );
}

/** Accepts AWS's managed policies on the roles below a construct. `reasons` has a reason for each end of a name. */
export function acknowledgeManagedPolicies(construct: IConstruct, reasons: Readonly<Record<string, string>>): void {
  accept(
    construct,
    Object.entries(reasons).map(([ending, reason]) => ({ rule: "IAM4", ending, reason })),
  );
}

/**
 * Accepts what is found at the CDK's own functions behind custom resources. Each is a child of the stack, once,
 * whatever number of constructs uses it.
 */
export function acknowledgeCdkFunctions(
  stack: Stack,
  idPrefix: string,
  what: string,
  wildcards: readonly string[] = [],
): void {
  for (const child of stack.node.children.filter(({ node }) => node.id.startsWith(idPrefix))) {
    acknowledge(child, { L1: `runtime of the CDK's own function that ${what}, updated with the CDK` });
    acknowledgeManagedPolicies(child, {
      AWSLambdaBasicExecutionRole: `the CDK's own function that ${what}: the policy lets it write its log`,
    });
    acknowledgeWildcards(
      child,
      Object.fromEntries(wildcards.map((wildcard) => [wildcard, `the CDK's own function that ${what}`])),
    );
  }
}

/** Accepts a finding of cfn-lint at a resource, such as `W3010`. The CDK's own validation has the same rules. */
export function acknowledgeLint(resource: CfnResource, rule: string, reason: string): void {
  Validations.of(resource).acknowledge({ id: `CloudFormation-Validate::${rule}`, reason });
  resource.addMetadata("cfn-lint", { config: { ignore_checks: [rule] }, reason });
}
