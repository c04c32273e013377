import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "@jest/globals";
import { environment } from "../../config/environments/index.ts";
import { operatorRoutes, webSocketRoutes } from "../../domain/routes.ts";
import { pythonTools } from "./python.ts";
import { resourcesOf, root, synthesised, type Synthesised } from "./synthesised.ts";

const LIMIT_MS = 600_000;

/** Types that moto's CloudFormation can't make: they are cut from the copy that is deployed there. */
const cutTypes: Readonly<Record<string, string>> = {
  "AWS::Budgets::Budget": "moto makes budgets by its API alone",
  "AWS::Budgets::BudgetsAction": "belongs to a budget",
  "AWS::CloudWatch::CompositeAlarm": "moto makes composite alarms by its API alone",
  "AWS::ApiGateway::Account": "moto knows the API's resources and methods, not the account's log role",
  "AWS::ApiGateway::GatewayResponse": "moto makes gateway responses by its API alone",
  "AWS::ApiGateway::Stage": "moto makes stages by its API alone",
  "AWS::ApplicationAutoScaling::ScalableTarget": "moto scales by its API alone",
  "AWS::ApplicationAutoScaling::ScalingPolicy": "moto scales by its API alone",
  "AWS::CloudFront::Distribution": "moto makes distributions by its API alone",
  "AWS::CloudFront::OriginAccessControl": "belongs to a distribution",
  "AWS::CloudFront::ResponseHeadersPolicy": "belongs to a distribution",
  "AWS::ApiGateway::Authorizer": "moto makes authorizers by its API alone",
  "AWS::ApiGatewayV2::Authorizer": "moto makes authorizers by its API alone",
  "AWS::Cognito::ManagedLoginBranding": "belongs to a user pool",
  "AWS::Cognito::UserPool": "moto makes user pools by its API alone",
  "AWS::Cognito::UserPoolClient": "belongs to a user pool",
  "AWS::Cognito::UserPoolDomain": "belongs to a user pool",
  "AWS::Cognito::UserPoolGroup": "belongs to a user pool",
  "AWS::DocDB::DBCluster": "moto has no DocumentDB in CloudFormation",
  "AWS::DocDB::DBClusterParameterGroup": "belongs to DocumentDB",
  "AWS::DocDB::DBInstance": "belongs to DocumentDB",
  "AWS::DocDB::DBSubnetGroup": "belongs to DocumentDB",
  "AWS::EC2::SecurityGroupEgress": "moto makes rules of the other direction",
  "AWS::IoT::Logging": "moto has no IoT logging",
  "AWS::IoT::ResourceSpecificLogging": "moto has no IoT logging",
  "AWS::Logs::LogStream": "moto makes log streams by its API alone",
  "AWS::MSK::ClusterPolicy": "belongs to MSK",
  "AWS::MSK::ServerlessCluster": "moto has no MSK in CloudFormation",
  "AWS::SecretsManager::ResourcePolicy": "belongs to the database's secret",
  "AWS::SecretsManager::RotationSchedule": "belongs to the database's secret",
  "AWS::SecretsManager::SecretTargetAttachment": "belongs to DocumentDB",
  "AWS::Serverless::Application": "the rotation function comes from AWS's repository of applications",
  "AWS::WAFv2::WebACL": "moto makes web ACLs by its API alone",
  "AWS::WAFv2::WebACLAssociation": "belongs to a web ACL",
  "Custom::CDKBucketDeployment": "runs a function, which wants Docker on the stand-in",
  "Custom::IotEndpoint": "runs a function, which wants Docker on the stand-in",
  "Custom::IotFleetIndexing": "runs a function, which wants Docker on the stand-in",
  "Custom::KafkaBootstrapBrokers": "runs a function, which wants Docker on the stand-in",
  "Custom::KafkaTopics": "runs a function, which wants Docker on the stand-in",
  "Custom::PipelineSettings": "runs a function, which wants Docker on the stand-in",
  "Custom::S3AutoDeleteObjects": "runs a function, which wants Docker on the stand-in",
  "Custom::VpcRestrictDefaultSG": "runs a function, which wants Docker on the stand-in",
};

/**
 * Types that the stand-in can't make either: what would be sent is held against the model of their service's API, and
 * nothing is there afterwards (`standin/api_types.py`).
 */
const checkedTypes = ["AWS::IoT::ProvisioningTemplate", "AWS::Lambda::EventSourceMapping"];

interface Found {
  readonly [what: string]: readonly string[];
}
interface PrivateApi {
  readonly endpoints: readonly {
    readonly id: string;
    readonly service: string;
    readonly hasPrivateNames: boolean;
    readonly subnets: number;
  }[];
  readonly policy: readonly { readonly Effect: string; readonly Condition: unknown }[];
  /** Verb, path, authorization, end of the integration's URI. */
  readonly methods: readonly (readonly [string, string, string, string])[];
}
interface StandUp {
  readonly provisioned: Readonly<Record<string, unknown>>;
  readonly stacks: Readonly<Record<string, string>>;
  readonly cut: readonly string[];
  readonly found: Found & {
    readonly buckets: Readonly<Record<string, { encryption: string; lifecycle: number }>>;
    readonly glue: Readonly<Record<string, readonly string[]>>;
    readonly archives: Readonly<Record<string, string>>;
    readonly rules: Readonly<Record<string, readonly string[]>>;
    readonly restApis: Readonly<Record<string, readonly string[]>>;
    readonly privateApis: Readonly<Record<string, PrivateApi>>;
    readonly webSocketApis: Readonly<Record<string, { routes: readonly string[]; stages: readonly string[] }>>;
    readonly featureGroups: Readonly<Record<string, string>>;
    readonly logGroups: readonly (readonly [string, number | null])[];
  };
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

const tools = pythonTools();
const described = tools === undefined ? describe.skip : describe;

/** dev with the operators' API, which dev itself does not have: every stack that there is. */
const SYNTH = "operators-dev";

described("dev's stacks on an AWS stand-in", () => {
  let platform: Synthesised;
  let result: StandUp;
  /** Names that the template gives to resources of a type. */
  const named = (type: string, property: string): string[] =>
    resourcesOf(platform, type)
      .flatMap(({ resource }) =>
        typeof resource.Properties[property] === "string" ? [resource.Properties[property]] : [],
      )
      .sort();

  beforeAll(async () => {
    platform = await synthesised(SYNTH);
    const run = spawnSync(
      join(tools ?? "", "python"),
      [join(root, "test/cdk/standin/stand_up.py"), platform.folder, String(await freePort())],
      { encoding: "utf8", maxBuffer: 64 * 1024 * 1024 },
    );
    const last = run.stdout.trim().split("\n").at(-1) ?? "";
    if (run.status !== 0 || !last.startsWith("{"))
      throw new Error(`the stand-in failed:\n${run.stdout.slice(-4_000)}\n${run.stderr.slice(-4_000)}`);
    result = JSON.parse(last) as StandUp;
  }, LIMIT_MS);

  test("are created by CloudFormation, all of them", () => {
    expect(result.stacks).toEqual(
      Object.fromEntries(Object.values(platform.stacks).map(({ stackName }) => [stackName, "CREATE_COMPLETE"])),
    );
  });

  test("lose only the types that the stand-in doesn't make", () => {
    expect(result.cut).toEqual(Object.keys(cutTypes).sort());
  });

  test("have the network of the config", () => {
    const config = environment("dev");
    expect(result.found["vpcs"]).toEqual([config.network.cidr]);
    // A /16: public /20s from its start, private /19s after them.
    expect(result.found["subnets"]).toEqual(["10.20.0.0/20", "10.20.16.0/20", "10.20.32.0/19", "10.20.64.0/19"]);
    expect(result.found["securityGroups"]).toEqual(named("AWS::EC2::SecurityGroup", "GroupName"));
    expect(result.found["endpoints"]).toEqual(
      expect.arrayContaining([
        "com.amazonaws.us-east-1.s3",
        "com.amazonaws.us-east-1.dynamodb",
        "com.amazonaws.us-east-1.secretsmanager",
        "com.amazonaws.us-east-1.ecr.dkr",
      ]),
    );
  });

  test("have keys, encrypted buckets with lifecycles, tables and secrets", () => {
    expect(result.found["keys"]).toEqual(
      ["operations", "readings", "secrets", "state"].map((name) => `alias/millrace-dev-${name}`),
    );
    expect(result.found.buckets["millrace-dev-lake-123456789012-us-east-1"]).toEqual({
      encryption: "aws:kms",
      lifecycle: 4,
    });
    expect(result.found.buckets["millrace-dev-models-123456789012-us-east-1"]).toEqual({
      encryption: "aws:kms",
      lifecycle: 1,
    });
    expect(result.found["tables"]).toEqual(
      ["checkpoints", "connections", "devices", "tickets"].map((name) => `millrace-dev-${name}`),
    );
    expect(result.found["secrets"]).toBe(1);
  });

  test("have the lake's streams, database, tables and views", () => {
    const market = ["market_aggregated", "market_alerts", "market_raw"];
    const tables = ["aggregated", "dead_letters", "inference", "late", ...market, "raw", "sessions"];
    expect(result.found["deliveryStreams"]).toEqual(tables.map((name) => `millrace-dev-${name}`));
    expect(result.found.glue).toEqual({ millrace_dev: tables.flatMap((name) => [name, `${name}_exact`]) });
  });

  test("have the functions, services, roles and logs of the templates", () => {
    expect(result.found["functions"]).toEqual(expect.arrayContaining(named("AWS::Lambda::Function", "FunctionName")));
    expect(result.found["clusters"]?.length).toBe(1);
    expect(result.found["services"]).toEqual(named("AWS::ECS::Service", "ServiceName"));
    expect(result.found["taskDefinitions"]).toEqual(named("AWS::ECS::TaskDefinition", "Family"));
    expect(result.found["roles"]).toBe(resourcesOf(platform, "AWS::IAM::Role").length);
    expect(result.found["rolesWithPolicies"]).toBeGreaterThanOrEqual(resourcesOf(platform, "AWS::IAM::Policy").length);
    expect(result.found.logGroups.filter(([, days]) => days !== 7)).toEqual([]);
    expect(result.found.logGroups.map(([name]) => name)).toEqual(
      expect.arrayContaining(named("AWS::Logs::LogGroup", "LogGroupName")),
    );
  });

  test("have the bus of the trades, with its archive, rule and queues", () => {
    expect(result.found.archives).toMatchObject({ "millrace-dev-market": "millrace-dev-market" });
    expect(result.found.rules["millrace-dev-market"]).toContain("millrace-dev-trades");
    expect(result.found["queues"]).toEqual(named("AWS::SQS::Queue", "QueueName"));
  });

  test("have the WebSocket API with its routes and stage", () => {
    const keys = webSocketRoutes.map(({ routeKey }) => routeKey);
    expect(result.found.webSocketApis).toEqual({ "millrace-dev-live": { routes: keys.toSorted(), stages: ["v1"] } });
  });

  test("let a device provision itself by the template, with the rights of the template's role and no others", () => {
    expect(result.provisioned).toEqual({
      refused: [],
      mayBesides: [],
      type: "millrace-dev-sensor",
      groups: ["millrace-dev-sensors"],
      certificates: [true],
      policies: ["millrace-dev-sensor"],
      status: "ACTIVE",
    });
  });

  test("have the group of the devices, the rules of their presence, and the feature groups", () => {
    expect(result.found["thingGroups"]).toEqual(["millrace-dev-sensors"]);
    expect(result.found["iotRules"]).toEqual(["millrace_dev_connected", "millrace_dev_disconnected"]);
    // Where Feature Store puts the tables of offline stores.
    expect(result.found.featureGroups).toEqual(
      Object.fromEntries(
        named("AWS::SageMaker::FeatureGroup", "FeatureGroupName").map((name) => [name, "sagemaker_featurestore"]),
      ),
    );
  });

  test("have the analysts' work group, and a policy at each bucket", () => {
    expect(result.found["workGroups"]).toContain("millrace-dev-analysts");
    expect(result.found["bucketsWithPolicies"]).toEqual(Object.keys(result.found.buckets).toSorted());
  });

  // https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-private-api-create.html
  test("have the operators' API, which one endpoint leads to, for requests that are signed", () => {
    expect(Object.keys(result.found.privateApis)).toEqual(["millrace-dev-operators"]);
    const { endpoints, policy, methods } = result.found.privateApis["millrace-dev-operators"]!;
    expect(endpoints).toEqual([
      {
        id: expect.stringMatching(/^vpce-[0-9a-f]+$/),
        service: "com.amazonaws.us-east-1.execute-api",
        hasPrivateNames: false,
        subnets: environment("dev").zones.length,
      },
    ]);
    const { id } = endpoints[0]!;
    expect(policy.map(({ Effect, Condition }) => [Effect, Condition])).toEqual([
      ["Allow", { StringEquals: { "aws:SourceVpce": id } }],
      ["Deny", { StringNotEquals: { "aws:SourceVpce": id } }],
    ]);
    expect(methods.map(([verb, path]) => `${verb} ${path}`).toSorted()).toEqual(
      operatorRoutes.map(({ method, path }) => `${method} ${path}`).toSorted(),
    );
    expect(new Set(methods.map(([, , authorization]) => authorization))).toEqual(new Set(["AWS_IAM"]));
    const called = new Map(methods.map(([verb, path, , uri]) => [`${verb} ${path}`, uri]));
    for (const { method, path, function: name } of operatorRoutes)
      expect(called.get(`${method} ${path}`)).toBe(`millrace-dev-${name}/invocations`);
  });

  test("have the API, the topics of alarms and the alarms", () => {
    expect(result.found.restApis["millrace-dev-api"]).toEqual(
      expect.arrayContaining([
        "/",
        "/health",
        "/sessions",
        "/sessions/{sessionId}",
        "/sensors/{sensorId}/windows",
        "/tickets",
      ]),
    );
    expect(result.found["topics"]).toEqual(["millrace-dev-pages", "millrace-dev-tickets"]);
    expect(result.found["alarms"]).toEqual(expect.arrayContaining(named("AWS::CloudWatch::Alarm", "AlarmName")));
  });
});

describe("what nothing tries before a deployment", () => {
  const page = readFileSync(join(root, "docs/deployment.md"), "utf8");
  const section = page.slice(page.indexOf("## What only a deployment tells"));
  const rows = section
    .slice(0, section.indexOf("\n## "))
    .split("\n")
    .filter((line) => /^\| [^-]/.test(line))
    .slice(1)
    .map((line) => line.split("|").map((cell) => cell.trim()));

  test("is listed on the page of the deployment, each with the step of the smoke test that tells", () => {
    const quoted = (cell = ""): string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, text]) => text!);
    const listed = rows.flatMap(([, , types]) => quoted(types));
    expect(listed.toSorted()).toEqual([...Object.keys(cutTypes), ...checkedTypes].toSorted());
    const smoke = readFileSync(join(root, "bin/smoke.ts"), "utf8");
    const steps = [...smoke.matchAll(/check\("([^"]+)"/g)].map(([, step]) => step!);
    expect(steps.length).toBeGreaterThan(4);
    for (const [, what, , tells] of rows) {
      const named = quoted(tells).filter((text) => !/^(aws|npx?) /.test(text));
      expect(named.filter((step) => !steps.includes(step))).toEqual([]);
      expect(`${what}: ${tells}`).toMatch(/: .*(`|deployment fails)/);
    }
  });

  (tools === undefined ? test.skip : test)(
    "is held against CloudFormation's own schemas at least",
    () => {
      const types = [...Object.keys(cutTypes), ...checkedTypes].filter((type) => !type.startsWith("Custom::"));
      const code =
        "import sys; from cfnlint.schema import PROVIDER_SCHEMA_MANAGER as m\n" +
        'for t in sys.argv[1:]: assert m.get_resource_schema("us-east-1", t).schema["properties"], t';
      const run = spawnSync(join(tools ?? "", "python"), ["-c", code, ...types], { encoding: "utf8" });
      expect(run.stderr).toBe("");
      expect(run.status).toBe(0);
    },
    LIMIT_MS,
  );
});

const linted = tools === undefined ? test.skip : test;

linted.each(["dev", "staging", "prod"] as const)(
  "cfn-lint finds nothing in the templates of %s",
  async (env) => {
    const { folder, templates } = await synthesised(env);
    const { region } = environment(env);
    const run = spawnSync(
      join(tools ?? "", "python"),
      [
        "-c",
        "import sys; from cfnlint.runner import main; sys.exit(main())",
        "--config-file",
        join(root, ".cfnlintrc.yaml"),
        "--regions",
        region,
        "--template",
        ...Object.keys(templates).map((id) => join(folder, `${id}.template.json`)),
      ],
      { encoding: "utf8" },
    );
    expect(run.stdout + run.stderr).toBe("");
    expect(run.status).toBe(0);
  },
  LIMIT_MS,
);
