import { aws_iam as iam, type Stack } from "aws-cdk-lib";
import type { Environment } from "../../config/schema.ts";
import { resourceName, smokeRoles } from "../names.ts";
import { acknowledgeWildcards } from "../reusable/acknowledge.ts";
import { allow } from "../reusable/grants.ts";

/** What GitHub's tokens are issued by. Its identity provider exists once in an account. */
const GITHUB = "token.actions.githubusercontent.com";
/** The bootstrap's qualifier, unless an account was bootstrapped with another one. */
const QUALIFIER = "hnb659fds";

/** A role of the bootstrap: https://docs.aws.amazon.com/cdk/v2/guide/bootstrapping-env.html#bootstrapping-env-roles */
type BootstrapRole = "deploy" | "file-publishing" | "image-publishing" | "lookup";

/**
 * Workflows of a repository, as principals: those of a branch, `ref:refs/heads/main`, or those that run in one of its
 * environments, `environment:prod`, after whoever guards it has agreed.
 */
export function workflowsOf({ partition, account }: Stack, repository: string, where: string): iam.IPrincipal {
  return new iam.WebIdentityPrincipal(`arn:${partition}:iam::${account}:oidc-provider/${GITHUB}`, {
    StringEquals: { [`${GITHUB}:aud`]: "sts.amazonaws.com", [`${GITHUB}:sub`]: `repo:${repository}:${where}` },
  });
}

/** Lets a role take roles of the bootstrap. `lookup` reads; with all four it deploys. */
export function letUseBootstrap(role: iam.Role, stack: Stack, roles: readonly BootstrapRole[]): void {
  const { partition, account, region } = stack;
  allow(
    role,
    ["sts:AssumeRole"],
    roles.map((of) => `arn:${partition}:iam::${account}:role/cdk-${QUALIFIER}-${of}-role-${account}-${region}`),
  );
}

/** Lets a role deploy an environment, and take the roles of the smoke test. */
export function letDeploy(role: iam.Role, stack: Stack, config: Environment): void {
  letUseBootstrap(role, stack, ["deploy", "file-publishing", "image-publishing", "lookup"]);
  const stacks = resourceName(config, "*");
  allow(
    role,
    ["cloudformation:DescribeStacks"],
    [stack.formatArn({ service: "cloudformation", resource: "stack", resourceName: stacks })],
  );
  allow(
    role,
    ["sts:AssumeRole"],
    smokeRoles.map((name) => `arn:${stack.partition}:iam::${stack.account}:role/${resourceName(config, name)}`),
  );
  acknowledgeWildcards(role, { [`:stack/${stacks}`]: "a stack's ARN ends in an id that CloudFormation makes up" });
}
