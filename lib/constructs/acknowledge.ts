import { Validations, type CfnResource, type Stack } from "aws-cdk-lib";
import type { IConstruct } from "constructs";

/** A finding of cdk-nag that is right as it is. */
export interface Acceptance {
  /** The rule, without the pack's name: `S1`. */
  readonly rule: string;
  /** End of the finding's text, for rules that find several things at a construct; absent: whatever the rule finds. */
  readonly ending?: string;
  /** Why it is right here, and what limits it. */
  readonly reason: string;
}

const accepted = new WeakMap<IConstruct, Acceptance[]>();

function accept(construct: IConstruct, acceptances: readonly Acceptance[]): void {
  accepted.set(construct, [...(accepted.get(construct) ?? []), ...acceptances]);
}

/** The acceptance that covers a finding at a construct: its own, or one from above. */
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

/** Accepts whatever rules of cdk-nag find at a construct and below it: rule to reason. */
export function acknowledge(construct: IConstruct, reasons: Readonly<Record<string, string>>): void {
  accept(
    construct,
    Object.entries(reasons).map(([rule, reason]) => ({ rule, reason })),
  );
}

/**
 * Accepts single wildcards of the policies below a construct, each by how it ends: any other one is still found.
 *
 * @param reasons End of the action or resource (`s3:GetObject*`, `/features/*`; `*` alone is the resource `*`) to the
 *   reason
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

/** Accepts AWS's own policies on the roles below a construct, each by the end of its name. */
export function acknowledgeManagedPolicies(construct: IConstruct, reasons: Readonly<Record<string, string>>): void {
  accept(
    construct,
    Object.entries(reasons).map(([ending, reason]) => ({ rule: "IAM4", ending, reason })),
  );
}

/** The functions behind the CDK's own custom resources stand once in a stack, beside what uses them. */
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

/**
 * Accepts a finding of cfn-lint at a resource, such as `W3010`; the CDK's own validation of templates has the same
 * rules.
 */
export function acknowledgeLint(resource: CfnResource, rule: string, reason: string): void {
  Validations.of(resource).acknowledge({ id: `CloudFormation-Validate::${rule}`, reason });
  resource.addMetadata("cfn-lint", { config: { ignore_checks: [rule] }, reason });
}
