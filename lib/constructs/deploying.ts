import { ArnFormat, aws_iam as iam, type Stack } from "aws-cdk-lib";
import type { Environment } from "../../config/schema.ts";
import { mqttTopic } from "../../domain/imu.ts";
import { resourceName } from "../names.ts";
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

/** Lets a role deploy an environment, and do what the smoke test does. */
export function letDeploy(role: iam.Role, stack: Stack, config: Environment): void {
  const arn = (service: string, resource: string, name?: string): string =>
    stack.formatArn(
      name === undefined
        ? { service, resource, arnFormat: ArnFormat.NO_RESOURCE_NAME }
        : { service, resource, resourceName: name },
    );
  letUseBootstrap(role, stack, ["deploy", "file-publishing", "image-publishing", "lookup"]);
  allow(role, ["cloudformation:DescribeStacks"], [arn("cloudformation", "stack", resourceName(config, "*"))]);
  allow(role, ["iot:Connect"], [arn("iot", "client", "smoke-*")]);
  allow(role, ["iot:Publish"], [arn("iot", "topic", mqttTopic(config.mqttPrefix, "imu/smoke-*"))]);
  allow(
    role,
    ["lambda:InvokeFunction"],
    ["produce-test", "consume-test"].map((name) => arn("lambda", `function:${resourceName(config, name)}`)),
  );
  if (config.api.auth?.cognito === true && !config.retainData)
    letAddUsers(role, arn("cognito-idp", "userpool", "*"), config);
  acknowledgeWildcards(role, {
    [`:stack/${resourceName(config, "*")}`]: "a stack's ARN ends in an id that CloudFormation makes up",
    ":client/smoke-*": "the smoke test makes up a sensor",
    "/imu/smoke-*": "the smoke test makes up a sensor",
  });
}

/** What the smoke test does to sign in as a user of its own. The id of a pool is made later: its tag names it. */
function letAddUsers(role: iam.Role, pools: string, config: Environment): void {
  allow(
    role,
    [
      "cognito-idp:AdminCreateUser",
      "cognito-idp:AdminDeleteUser",
      "cognito-idp:AdminInitiateAuth",
      "cognito-idp:AdminSetUserPassword",
    ],
    [pools],
    { StringEquals: { "aws:ResourceTag/project": "millrace", "aws:ResourceTag/environment": config.name } },
  );
  acknowledgeWildcards(role, { ":userpool/*": "the user pool with the environment's tags: its id is made later" });
}
