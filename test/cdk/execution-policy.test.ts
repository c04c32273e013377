import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "@jest/globals";
import { parse } from "yaml";
import { pythonTools } from "./python.ts";
import { environments, root, synthesised } from "./synthesised.ts";

const LIMIT_MS = 300_000;
const bin = pythonTools();

interface Statement {
  readonly Action: readonly string[];
  readonly Resource: string;
}
const text = readFileSync(join(root, "lib/delivery/execution-policy.json"), "utf8");
const { Statement: statements } = JSON.parse(text) as { Statement: Statement[] };
const granted = statements.flatMap(({ Action }) => Action);

/** Services that handlers name for what the templates do not have: the policy leaves them out. */
const unused: Readonly<Record<string, string>> = {
  amplify: "an Amplify app behind a web ACL",
  apprunner: "an App Runner service behind a web ACL",
  appsync: "an AppSync API behind a web ACL",
  "bedrock-agentcore": "a gateway of agents behind a web ACL",
  "docdb-elastic": "a secret of an elastic cluster",
  elasticfilesystem: "a function with a file system",
  elasticloadbalancing: "a load balancer behind a web ACL",
  kinesis: "a table that streams to Kinesis",
  payments: "a web ACL with rules that are bought",
  redshift: "a secret of a warehouse",
  "redshift-serverless": "a secret of a warehouse",
  s3files: "a function with a file system",
  s3tables: "a bucket whose metadata are a table",
  "vpc-lattice": "an endpoint of a service network",
  vpce: "an endpoint of another region",
};
/**
 * Types whose schemas name no permissions.
 * https://docs.aws.amazon.com/documentdb/latest/developerguide/UsingWithRDS.IAM.html
 */
const unnamed: Readonly<Record<string, readonly string[]>> = {
  "AWS::DocDB::DBCluster": ["rds:CreateDBCluster", "rds:DescribeDBClusters", "rds:ModifyDBCluster"],
  "AWS::DocDB::DBInstance": ["rds:CreateDBInstance", "rds:DescribeDBInstances", "rds:ModifyDBInstance"],
  // https://docs.aws.amazon.com/serverlessrepo/latest/devguide/using-serverless-application-repository-iam-role-permissions.html
  "AWS::Serverless::Application": ["serverlessrepo:CreateCloudFormationTemplate", "cloudformation:CreateChangeSet"],
};

/** By type. */
const needed: Record<string, readonly string[]> = {};
beforeAll(async () => {
  if (bin === undefined) return;
  const platforms = await Promise.all([...environments, "rehearsal" as const].map((env) => synthesised(env)));
  const types = new Set(
    platforms
      .flatMap(({ templates }) => Object.values(templates).flatMap(({ Resources }) => Object.values(Resources)))
      .map(({ Type }) => Type)
      .filter((type) => type.startsWith("AWS::") && type !== "AWS::CDK::Metadata"),
  );
  const run = spawnSync(join(bin, "python"), [join(root, "test/cdk/standin/handler_permissions.py")], {
    encoding: "utf8",
    input: JSON.stringify([...types]),
  });
  if (run.status !== 0) throw new Error(run.stderr.slice(-4_000));
  const found = JSON.parse(run.stdout) as Record<string, readonly string[] | null>;
  expect(
    Object.keys(found)
      .filter((type) => found[type] === null)
      .toSorted(),
  ).toEqual(Object.keys(unnamed));
  for (const [type, permissions] of Object.entries(found)) needed[type] = permissions ?? unnamed[type]!;
}, LIMIT_MS);

const here = bin === undefined ? test.skip : test;
const serviceOf = (action: string): string => action.split(":")[0]!.toLowerCase();
const isGranted = (action: string): boolean =>
  granted.some((one) => one.toLowerCase() === action.toLowerCase() || one === `${serviceOf(action)}:*`);

// https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-schema.html: "handlers" name the
// permissions that CloudFormation needs to make, read, update and delete a resource.
here("the policy of CloudFormation's role has every permission that the handlers of the templates' types need", () => {
  expect(Object.keys(needed).length).toBeGreaterThan(80);
  const lacking = Object.entries(needed).flatMap(([type, permissions]) =>
    permissions
      .filter((action) => !isGranted(action) && unused[serviceOf(action)] === undefined)
      // The templates have roles, and no users and groups.
      .filter((action) => !/^iam:\w+(User|Group)Policy$/.test(action))
      // IAM knows no such action: https://docs.aws.amazon.com/service-authorization/latest/reference/list_awslakeformation.html
      .filter((action) => action !== "lakeformation:CreateTable")
      .map((action) => `${type}: ${action}`),
  );
  expect(lacking).toEqual([]);
});

here("it has no service that no handler needs, and leaves out those that are named for nothing here", () => {
  const services = new Set(Object.values(needed).flat().map(serviceOf));
  // CloudFormation reads the bootstrap's version from a parameter: https://docs.aws.amazon.com/cdk/v2/guide/bootstrapping-env.html
  expect([...new Set(granted.map(serviceOf))].filter((service) => service !== "ssm" && !services.has(service))).toEqual(
    [],
  );
  expect(
    Object.keys(unused).filter(
      (service) => !services.has(service) || granted.some((one) => serviceOf(one) === service),
    ),
  ).toEqual([]);
  expect(
    granted.filter((one) => one.startsWith("iam:") && (one === "iam:*" || /User|Group|AccessKey/.test(one))),
  ).toEqual([]);
});

test("it fits into a managed policy", () => {
  // https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html: 6,144 characters, white space not counted.
  expect(text.replaceAll(/\s/g, "").length).toBeLessThanOrEqual(6_144);
});

test("the bootstrap gives CloudFormation's role the policies that it is given, and one role passes it on", () => {
  const file = join(root, "node_modules/aws-cdk/lib/api/bootstrap/bootstrap-template.yaml");
  const { Resources } = parse(readFileSync(file, "utf8")) as {
    Resources: Record<string, { Properties: Record<string, unknown> }>;
  };
  const { ManagedPolicyArns } = Resources["CloudFormationExecutionRole"]!.Properties;
  expect(ManagedPolicyArns).toEqual({
    "Fn::If": ["HasCloudFormationExecutionPolicies", { Ref: "CloudFormationExecutionPolicies" }, expect.anything()],
  });
  // Without any it may do everything, so that the default lacks nothing either.
  expect(JSON.stringify(ManagedPolicyArns)).toContain("policy/AdministratorAccess");
  const { Policies } = Resources["DeploymentActionRole"]!.Properties as {
    Policies: { PolicyDocument: { Statement: { Action: unknown; Resource: unknown }[] } }[];
  };
  const passes = Policies.flatMap(({ PolicyDocument }) => PolicyDocument.Statement).filter(({ Action }) =>
    [Action].flat().includes("iam:PassRole"),
  );
  expect(passes.map(({ Resource }) => Resource)).toEqual([{ "Fn::Sub": "${CloudFormationExecutionRole.Arn}" }]);
});
