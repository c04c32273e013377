import { beforeAll, describe, expect, test } from "@jest/globals";
import { environment } from "../../config/environments/index.ts";
import { environments, resourcesOf, synthesised, type Resource, type Synthesised } from "./synthesised.ts";

// What the documentation of AWS demands of the templates. Each test names the page.

const LIMIT_MS = 300_000;

interface Statement {
  readonly Effect: string;
  readonly Action: string | readonly string[];
  readonly Resource?: unknown;
  readonly Principal?: unknown;
  readonly Condition?: unknown;
}
const list = <T>(value: T | readonly T[]): readonly T[] =>
  Array.isArray(value) ? (value as readonly T[]) : [value as T];

describe.each(environments)("the templates of %s", (env) => {
  let platform: Synthesised;
  const config = environment(env);
  beforeAll(async () => {
    platform = await synthesised(env);
  }, LIMIT_MS);
  const all = (...types: string[]): ReturnType<typeof resourcesOf> => resourcesOf(platform, ...types);

  /** Statements of the policies of a role, by the beginning of its logical id. */
  const statementsOf = (stack: string, role: string): Statement[] =>
    all("AWS::IAM::Policy")
      .filter((policy) => policy.stack === stack && policy.id.startsWith(role))
      .flatMap(({ resource }) => (resource.Properties["PolicyDocument"] as { Statement: Statement[] }).Statement);
  /** Resources on which a role may do an action, as JSON. */
  const allowed = (statements: readonly Statement[], action: string): string[] =>
    statements
      .filter(({ Effect, Action }) => Effect === "Allow" && list(Action).includes(action))
      .flatMap(({ Resource }) => list(Resource).map((resource) => JSON.stringify(resource)));
  /** Whether a resource waits for another one of its stack, itself or through others. */
  const waitsFor = (stack: string, id: string, other: (resource: Resource) => boolean): boolean => {
    const { Resources } = platform.templates[stack]!;
    const visited = new Set<string>();
    const reaches = (from: string): boolean =>
      !visited.has(from) &&
      (visited.add(from),
      list(Resources[from]?.DependsOn ?? []).some((next) => other(Resources[next]!) || reaches(next)));
    return reaches(id);
  };

  test("let the pollers of every Kafka mapping make network interfaces with the function's role", () => {
    // https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AWSLambdaMSKExecutionRole.html
    const mappings = all("AWS::Lambda::EventSourceMapping").filter(({ resource }) => resource.Properties["Topics"]);
    expect(mappings.length).toBeGreaterThan(10);
    for (const name of new Set(
      mappings.map(({ stack, resource }) => `${stack} ${JSON.stringify(resource.Properties["FunctionName"])}`),
    )) {
      const [stack = "", reference = ""] = name.split(" ");
      const role = /"Ref":"(Function[a-z]+)Function/.exec(reference)?.[1] ?? "";
      const statements = statementsOf(stack, `${role}Role`);
      for (const action of [
        "kafka:DescribeClusterV2",
        "kafka:GetBootstrapBrokers",
        "ec2:CreateNetworkInterface",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeVpcs",
        "ec2:DeleteNetworkInterface",
        "ec2:DescribeSubnets",
        "ec2:DescribeSecurityGroups",
      ])
        expect([role, action, allowed(statements, action).length]).toEqual([role, action, 1]);
    }
  });

  test("have an endpoint in the cluster's VPC for the service that failures go to", () => {
    // https://docs.aws.amazon.com/lambda/latest/dg/kafka-on-failure.html: "You must deploy a VPC endpoint for your
    // on-failure destination service inside your Kafka cluster VPC." And Lambda and STS:
    // https://docs.aws.amazon.com/lambda/latest/dg/with-msk-cluster-network.html
    const endpoints = all("AWS::EC2::VPCEndpoint").filter(({ resource }) =>
      ["sqs", "lambda", "sts"].some((service) =>
        JSON.stringify(resource.Properties["ServiceName"]).includes(`.${service}"`),
      ),
    );
    expect(endpoints.length).toBe(3);
    const cluster = all("AWS::MSK::ServerlessCluster")[0]!.resource.Properties["VpcConfigs"] as {
      SecurityGroups: unknown[];
    }[];
    const groupOf = (reference: unknown): string =>
      /Group(kafka|endpoints)[0-9A-F]{8}/.exec(JSON.stringify(reference))?.[1] ?? "";
    expect(groupOf(cluster[0]!.SecurityGroups)).toBe("kafka");
    for (const { resource } of endpoints) {
      expect(resource.Properties["PrivateDnsEnabled"]).toBe(true);
      expect(groupOf(resource.Properties["SecurityGroupIds"])).toBe("endpoints");
    }
    for (const type of ["AWS::EC2::SecurityGroupEgress", "AWS::EC2::SecurityGroupIngress"])
      expect(
        all(type).filter(
          ({ resource: { Properties: rule } }) =>
            rule["FromPort"] === 443 &&
            [rule["GroupId"], rule["DestinationSecurityGroupId"] ?? rule["SourceSecurityGroupId"]]
              .map(groupOf)
              .toSorted()
              .join() === "endpoints,kafka",
        ).length,
      ).toBe(1);
  });

  test("give the offline store's role what its managed policy has, for the lake and its own tables", () => {
    // https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AmazonSageMakerFeatureStoreAccess.html
    const statements = statementsOf("lake", "FeatureStoreRole");
    for (const action of ["s3:PutObject", "s3:PutObjectAcl", "s3:GetObject"])
      expect(allowed(statements, action)).toEqual([expect.stringMatching(/Bucketlake.*"\/features\/\*"/)]);
    expect(allowed(statements, "s3:GetBucketAcl")).toEqual([expect.stringContaining("Bucketlake")]);
    for (const action of ["glue:GetTable", "glue:UpdateTable"])
      expect(allowed(statements, action)).toEqual([
        expect.stringMatching(/:catalog"/),
        expect.stringMatching(/:database\/sagemaker_featurestore"/),
        expect.stringMatching(new RegExp(`:table/sagemaker_featurestore/millrace_${env}_\\*"`)),
      ]);
  });

  test("name zones by their ids", () => {
    // https://docs.aws.amazon.com/global-infrastructure/latest/regions/az-ids.html
    const subnets = all("AWS::EC2::Subnet").map(({ resource }) => resource.Properties);
    expect(subnets.map((subnet) => subnet["AvailabilityZone"])).toEqual(subnets.map(() => undefined));
    expect([...new Set(subnets.map((subnet) => subnet["AvailabilityZoneId"]))]).toEqual(config.zones);
    expect(subnets.length).toBe(2 * config.zones.length);
  });

  test("expire and archive no file of an Iceberg table", () => {
    // https://docs.aws.amazon.com/prescriptive-guidance/latest/apache-iceberg-on-aws/best-practices-storage.html
    const lake = all("AWS::S3::Bucket").find(({ id }) => id.startsWith("Bucketlake"))!.resource.Properties;
    const rules = (
      lake["LifecycleConfiguration"] as {
        Rules: { Prefix?: string; ExpirationInDays?: number; Transitions?: unknown }[];
      }
    ).Rules;
    const forEach = rules.filter(({ Prefix }) => Prefix === undefined || "features/".startsWith(Prefix));
    expect(forEach.length).toBe(1);
    for (const rule of forEach) expect([rule.ExpirationInDays, rule.Transitions]).toEqual([undefined, undefined]);
    expect(rules.map(({ Prefix }) => Prefix)).not.toContain("features/");
  });

  test("make IoT Core's log before they set the level of a group", () => {
    // https://docs.aws.amazon.com/iot/latest/apireference/API_SetV2LoggingLevel.html: NotConfiguredException, "The
    // resource is not configured."
    if (!config.ownsAccountSettings) return expect(all("AWS::IoT::Logging")).toEqual([]);
    const [level] = all("AWS::IoT::ResourceSpecificLogging");
    expect(waitsFor(level!.stack, level!.id, ({ Type }) => Type === "AWS::IoT::Logging")).toBe(true);
  });

  test("give API Gateway its role for logs before a stage has any", () => {
    // https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-apigateway-account.html: the
    // stage depends on the account, which WebSocket APIs have in common with REST APIs:
    // https://docs.aws.amazon.com/apigateway/latest/developerguide/websocket-api-logging.html
    const stages = all("AWS::ApiGateway::Stage", "AWS::ApiGatewayV2::Stage");
    expect(stages.length).toBe(2);
    for (const { stack, id } of stages)
      expect([id, waitsFor(stack, id, ({ Type }) => Type === "AWS::ApiGateway::Account")]).toEqual([
        id,
        config.ownsAccountSettings,
      ]);
  });

  test("change the database's password when there is an instance to log in to", () => {
    // https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_RotateSecret.html: RotateImmediately is the
    // default, and the function connects to the database.
    const [schedule] = all("AWS::SecretsManager::RotationSchedule");
    expect(waitsFor(schedule!.stack, schedule!.id, ({ Type }) => Type === "AWS::DocDB::DBInstance")).toBe(true);
  });
});
