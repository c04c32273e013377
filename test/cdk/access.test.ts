import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "@jest/globals";
import { environment } from "../../config/environments/index.ts";
import { list, statementsOf, textOf } from "./statements.ts";
import { environments, resourcesOf, synthesised, type Synthesised } from "./synthesised.ts";

const LIMIT_MS = 300_000;

/** What follows the account in an ARN. References have colons of their own. */
function nameOf(arn: string): string {
  return (
    arn
      .replaceAll(/<[^>]*>/g, "_")
      .split(":")
      .slice(5)
      .join(":") || arn
  );
}

describe.each(environments)("the roles of people and of the pipeline of %s", (env) => {
  let platform: Synthesised;
  const { deployer, operatorsApi } = environment(env);
  beforeAll(async () => {
    platform = await synthesised(env);
  }, LIMIT_MS);

  /** What a role may do: resources by action, each without account and region. */
  function rights(name: string): Record<string, string[]> {
    const found: Record<string, string[]> = {};
    for (const { resource } of resourcesOf(platform, "AWS::IAM::Policy").filter(
      (policy) => policy.stack === "access" && JSON.stringify(policy.resource.Properties["Roles"]).includes(name),
    ))
      for (const { Action, Resource } of statementsOf(resource))
        for (const action of list(Action ?? []))
          (found[action] ??= []).push(...list(Resource ?? []).map((text) => nameOf(textOf(text))));
    return found;
  }
  const trust = (name: string): unknown =>
    resourcesOf(platform, "AWS::IAM::Role")
      .filter(({ resource }) => resource.Properties["RoleName"] === `millrace-${env}-${name}`)
      .map(({ resource }) => resource.Properties["AssumeRolePolicyDocument"]);

  test("let the deployer take the bootstrap's roles and those that try what it has deployed, all named", () => {
    // https://docs.aws.amazon.com/cdk/v2/guide/bootstrapping-env.html#bootstrapping-env-roles
    const { "sts:AssumeRole": roles = [], ...others } = rights("deployer");
    const named = roles.map((role) => /^role\/(?:cdk-hnb659fds-(.+)-role-[^*]+|(.+))$/.exec(role));
    expect(named.map((found) => String(found?.[1] ?? found?.[2])).toSorted()).toEqual(
      [
        ...["deploy", "file-publishing", "image-publishing", "lookup"],
        ...["analyst", "on-call", "smoke"].map((name) => `millrace-${env}-${name}`),
      ].toSorted(),
    );
    expect(others).toEqual({ "cloudformation:DescribeStacks": [`stack/millrace-${env}-*`] });
  });

  test("let the smoke test be a device, a user and a producer, and ask the functions that try the rest", () => {
    const { auth } = environment(env).api;
    const ofUsers = ["AdminCreateUser", "AdminDeleteUser", "AdminInitiateAuth", "AdminSetUserPassword"];
    // It signs in as a user of its own, in the pool with the environment's tags.
    const addsUsers = auth?.cognito === true ? ofUsers : [];
    const { market } = environment(env).processor;
    const found = rights("smoke");
    const ofKeys = Object.keys(found).filter((action) => action.startsWith("kms:"));
    const others = Object.fromEntries(Object.entries(found).filter(([action]) => !ofKeys.includes(action)));
    const table = [expect.stringMatching(/devices/i)];
    const functions = ["check-features", "consume-test", "produce-test"];
    expect(others).toEqual({
      ...Object.fromEntries(addsUsers.map((action) => [`cognito-idp:${action}`, ["userpool/*"]])),
      ...(market === null ? {} : { "events:PutEvents": [`event-bus/millrace-${env}-market`] }),
      "dynamodb:DeleteItem": table,
      "dynamodb:PutItem": table,
      "iot:CreateProvisioningClaim": [`provisioningtemplate/millrace-${env}-sensor`],
      "iot:DeleteCertificate": ["cert/*"],
      "iot:DeleteThing": ["thing/smoke-*"],
      "iot:DetachThingPrincipal": ["cert/*"],
      "iot:ListThingPrincipals": ["thing/smoke-*"],
      "iot:UpdateCertificate": ["cert/*"],
      "lambda:InvokeFunction": functions.map((name) => `function:millrace-${env}-${name}`),
    });
    // https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html
    const registers = resourcesOf(platform, "AWS::IAM::Policy")
      .flatMap(({ stack, resource }) => (stack === "access" ? statementsOf(resource) : []))
      .filter(({ Action }) => list(Action ?? []).includes("dynamodb:PutItem"));
    expect(registers.map((statement) => (statement as { Condition?: unknown }).Condition)).toEqual([
      { "ForAllValues:StringLike": { "dynamodb:LeadingKeys": "smoke-*" } },
    ]);
  });

  test("let a repository's workflow be the deployer in this environment alone, or the account's principals", () => {
    // https://docs.github.com/en/actions/reference/security/oidc: repo:OWNER/NAME:environment:NAME
    const [document] = trust("deployer") as { Statement: Record<string, unknown>[] }[];
    const [statement] = document!.Statement;
    if (deployer.repository === null) expect(JSON.stringify(statement!["Principal"])).toMatch(/:root"/);
    else
      expect(statement).toMatchObject({
        Action: "sts:AssumeRoleWithWebIdentity",
        Principal: { Federated: expect.anything() },
        Condition: {
          StringEquals: {
            "token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
            "token.actions.githubusercontent.com:sub": `repo:${deployer.repository}:environment:${env}`,
          },
        },
      });
    for (const name of ["on-call", "analyst", "smoke"]) expect(JSON.stringify(trust(name))).toMatch(/:root"/);
  });

  test("let the analyst read the lake and write the results of its queries, and nothing else", () => {
    // https://docs.aws.amazon.com/athena/latest/ug/example-policies-workgroup.html
    const found = rights("analyst");
    expect(new Set(Object.keys(found).map((action) => action.split(":")[0]))).toEqual(
      new Set(["athena", "glue", "kms", "s3"]),
    );
    expect(
      Object.keys(found)
        .filter((action) => /:(Put|Start|Delete|Create|Update)/.test(action))
        .toSorted(),
    ).toEqual(["athena:StartQueryExecution", "s3:PutObject"]);
    expect(found["s3:PutObject"]).toEqual([expect.stringMatching(/\/query-results\/\*$/)]);
    expect(found["athena:StartQueryExecution"]).toEqual([`workgroup/millrace-${env}-analysts`]);
  });

  // The CLI names an operation with dashes, IAM as the API does; what differs is below.
  test("let who is on call run every command of the runbooks", () => {
    const different: Readonly<Record<string, readonly string[]>> = {
      "docdb describe-db-clusters": ["rds:DescribeDBClusters"],
      "logs tail": ["logs:FilterLogEvents"],
      // Beside the command that calls it: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RunTask.html
      "on-aws": [
        "ecs:DescribeServices",
        "ecs:DescribeTaskDefinition",
        "ecs:RunTask",
        "ecs:DescribeTasks",
        "ecs:StopTask",
        "iam:PassRole",
        "logs:GetLogEvents",
      ],
    };
    const folder = join(import.meta.dirname, "..", "..", "docs", "runbooks");
    const commands = new Set(
      readdirSync(folder).flatMap((file) =>
        [...readFileSync(join(folder, file), "utf8").matchAll(/^[^#\n]*?(?<!on-)\baws ([a-z0-9-]+ [a-z0-9-]+)/gm)]
          .map(([, command]) => command!)
          .filter((command) => !command.startsWith("events start-replay")),
      ),
    );
    expect(commands.size).toBeGreaterThan(10);
    const pascal = (name: string): string =>
      name.replaceAll(/(^|-)([a-z])/g, (_, _dash, letter) => String(letter).toUpperCase());
    const needed = [...commands, "on-aws"].flatMap((command) => {
      const [service, operation] = command.split(" ");
      return different[command] ?? [`${service}:${pascal(operation!)}`];
    });
    expect(needed.filter((action) => rights("oncall")[action] === undefined)).toEqual([]);
  });

  test("let who is on call do what the runbooks say, and change nothing else", () => {
    // https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_StartMessageMoveTask.html
    const found = rights("oncall");
    expect(
      Object.keys(found)
        .filter((action) => !/:(Describe|Get|List|Filter)/.test(action))
        .toSorted(),
    ).toEqual([
      "application-autoscaling:RegisterScalableTarget",
      "ecs:RunTask",
      "ecs:StopTask",
      "ecs:UpdateService",
      ...(operatorsApi ? ["execute-api:Invoke"] : []),
      "iam:PassRole",
      "iot:UpdateCertificate",
      "kms:Decrypt",
      "kms:GenerateDataKey",
      "logs:StartQuery",
      "sqs:DeleteMessage",
      "sqs:ReceiveMessage",
      "sqs:SendMessage",
      "sqs:StartMessageMoveTask",
    ]);
    expect(found["ecs:UpdateService"]).toEqual([`service/millrace-${env}-cluster/*`]);
  });
});
