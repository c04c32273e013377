import { beforeAll, describe, expect, test } from "@jest/globals";
import { environment } from "../../config/environments/index.ts";
import { runningPipelines } from "../../config/pipelines.ts";
import { problem } from "../../domain/api.ts";
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
  /** Statements of the policies that a role shares with others: it names them, and the stack `security` has them. */
  const sharedStatementsOf = (stack: string, role: string): Statement[] => {
    const [id, found] = Object.entries(platform.templates[stack]!.Resources).find(
      ([name, { Type }]) => Type === "AWS::IAM::Role" && name.startsWith(role),
    )!;
    const arns = list((found.Properties["ManagedPolicyArns"] ?? []) as unknown[]).map((arn) => JSON.stringify(arn));
    const shared = all("AWS::IAM::ManagedPolicy").filter(({ resource: { Properties } }) =>
      arns.some((arn) => arn.includes(`:policy/${String(Properties["ManagedPolicyName"])}"`)),
    );
    expect([id, shared.map((policy) => policy.stack)]).toEqual([id, arns.map(() => "security")]);
    return shared.flatMap(
      ({ resource }) => (resource.Properties["PolicyDocument"] as { Statement: Statement[] }).Statement,
    );
  };
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
      const statements = [...statementsOf(stack, `${role}Role`), ...sharedStatementsOf(stack, `${role}Role`)];
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
        expect([role, action, allowed(statements, action).length > 0]).toEqual([role, action, true]);
    }
  });

  test("let every function send traces, and those in the VPC, and no others, be attached to it", () => {
    // https://docs.aws.amazon.com/lambda/latest/dg/services-xray.html#services-xray-permissions and
    // https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html#configuration-vpc-permissions
    const functions = all("AWS::Lambda::Function").filter(({ id }) => id.startsWith("Function"));
    const polled = all("AWS::Lambda::EventSourceMapping")
      .filter(({ resource }) => resource.Properties["Topics"])
      .map(({ resource }) => (resource.Properties["FunctionName"] as { Ref: string }).Ref);
    expect(functions.length).toBeGreaterThan(15);
    for (const { stack, id, resource } of functions) {
      const statements = sharedStatementsOf(stack, `${id.slice(0, id.lastIndexOf("Function"))}Role`);
      const may = (action: string): boolean => allowed(statements, action).length > 0;
      const inVpc = resource.Properties["VpcConfig"] !== undefined;
      expect([id, resource.Properties["TracingConfig"], may("xray:PutTraceSegments")]).toEqual([
        id,
        { Mode: "Active" },
        true,
      ]);
      expect([id, may("ec2:AssignPrivateIpAddresses")]).toEqual([id, inVpc]);
      expect([id, may("ec2:CreateNetworkInterface")]).toEqual([id, inVpc || polled.includes(id)]);
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

  test("cut Firehose's records into rows before it reads their partitions", () => {
    // https://docs.aws.amazon.com/firehose/latest/dev/dynamic-partitioning-multirecord-deaggergation.html: data that is
    // aggregated must be deaggregated before it can be partitioned; https://docs.aws.amazon.com/firehose/latest/dev/
    // record-format-conversion.html: its format can be converted then, too.
    for (const { resource } of all("AWS::KinesisFirehose::DeliveryStream"))
      expect(resource.Properties["ExtendedS3DestinationConfiguration"]).toMatchObject({
        DynamicPartitioningConfiguration: { Enabled: true },
        DataFormatConversionConfiguration: { Enabled: true },
        ProcessingConfiguration: {
          Enabled: true,
          Processors: [
            {
              Type: "RecordDeAggregation",
              Parameters: [{ ParameterName: "SubRecordType", ParameterValue: "JSON" }],
            },
            {
              Type: "MetadataExtraction",
              Parameters: [
                { ParameterName: "MetadataExtractionQuery", ParameterValue: "{dt: .dt, hour: .hour}" },
                { ParameterName: "JsonParsingEngine", ParameterValue: "JQ-1.6" },
              ],
            },
          ],
        },
      });
    // An update changes the streams first: one that does not cut records yet could not partition many rows.
    expect(platform.stacks["delivery"]!.dependencies).toContain("lake");
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
    // The operators' API is a stack of its own, which is deployed later (operators.test.ts).
    const stages = all("AWS::ApiGateway::Stage", "AWS::ApiGatewayV2::Stage").filter(
      ({ stack }) => stack !== "operators",
    );
    expect(stages.length).toBe(2);
    for (const { stack, id } of stages)
      expect([id, waitsFor(stack, id, ({ Type }) => Type === "AWS::ApiGateway::Account")]).toEqual([
        id,
        config.ownsAccountSettings,
      ]);
  });

  test("reserve concurrency only where the config says so", () => {
    // https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html: 100 executions must stay unreserved.
    // A new account has fewer: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
    const reserving = all("AWS::Lambda::Function").filter(
      ({ resource }) => resource.Properties["ReservedConcurrentExecutions"] !== undefined,
    );
    expect(reserving.length).toBe(config.functions.reserveConcurrency ? 6 : 0);
  });

  test("leave the number of tasks to what scales a service, and scale it in only when nothing wants it", () => {
    // https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-auto-scaling.html: a desired count that is
    // given sets the service back. And several policies of target tracking scale in when all agree:
    // https://docs.aws.amazon.com/autoscaling/application/userguide/target-tracking-scaling-policy-overview.html
    const counts = Object.fromEntries(
      all("AWS::ECS::Service").map(({ resource: { Properties } }) => [
        String(Properties["ServiceName"]).replace(`millrace-${env}-`, ""),
        Properties["DesiredCount"],
      ]),
    );
    const bridges = Array.from({ length: config.bridge.tasks }, (_, n) => [`bridge-${n}`, 1]);
    expect(counts).toEqual({
      ...Object.fromEntries(bridges),
      ...Object.fromEntries(runningPipelines(config).map(({ name }) => [`processor-${name}`, undefined])),
      live: undefined,
    });
    const policies = all("AWS::ApplicationAutoScaling::ScalingPolicy").map(({ resource }) => resource.Properties);
    expect([...new Set(policies.map((policy) => policy["PolicyType"]))]).toEqual(["TargetTrackingScaling"]);
    expect(JSON.stringify(policies)).not.toContain("DisableScaleIn");
    const expressions = policies.flatMap((policy) => {
      const { CustomizedMetricSpecification: custom } = policy["TargetTrackingScalingPolicyConfiguration"] as {
        CustomizedMetricSpecification?: { Metrics: { Id: string; ReturnData: boolean; Expression?: string }[] };
      };
      return custom ? [custom.Metrics] : [];
    });
    expect(expressions.length).toBe(runningPipelines(config).length);
    // https://docs.aws.amazon.com/autoscaling/application/userguide/application-auto-scaling-target-tracking-metric-math.html
    for (const metrics of expressions) {
      expect(metrics.map(({ Id, ReturnData }) => [Id, ReturnData])).toEqual([
        ["lag", false],
        ["tasks", false],
        ["value", true],
      ]);
      expect(metrics[2]!.Expression).toBe("IF(tasks > 0, lag / tasks, lag)");
    }
  });

  test("refuse the cluster to other accounts, by a denial, which nothing can allow", () => {
    // https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
    const [policy] = all("AWS::MSK::ClusterPolicy");
    const { Statement } = policy!.resource.Properties["Policy"] as { Statement: Statement[] };
    expect(Statement).toEqual([
      {
        Sid: "OwnAccountOnly",
        Effect: "Deny",
        Principal: { AWS: "*" },
        Action: "kafka-cluster:Connect",
        Resource: expect.anything(),
        Condition: {
          StringNotEquals: { "aws:PrincipalAccount": config.account ?? { Ref: "AWS::AccountId" } },
          Null: { "aws:PrincipalAccount": "false" },
          Bool: { "aws:PrincipalIsAWSService": "false" },
        },
      },
    ]);
    // https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html: operators
    // are joined by AND; a negated one holds where the key is missing; Null "false" holds where it is there.
    const { StringNotEquals, Null, Bool } = Statement[0]!.Condition as Record<string, Record<string, unknown>>;
    const own = StringNotEquals!["aws:PrincipalAccount"];
    const denied = (context: Readonly<Record<string, unknown>>): boolean =>
      Object.entries(StringNotEquals!).every(([key, value]) => context[key] !== value) &&
      Object.entries(Null!).every(([key, value]) => (context[key] === undefined) === (value === "true")) &&
      Object.entries(Bool!).every(([key, value]) => context[key] === value);
    const ofAws = "aws:PrincipalIsAWSService";
    expect(denied({ "aws:PrincipalAccount": own, [ofAws]: "false" })).toBe(false);
    expect(denied({ "aws:PrincipalAccount": "999988887777", [ofAws]: "false" })).toBe(true);
    expect(denied({ [ofAws]: "true" })).toBe(false);
    expect([denied({ [ofAws]: "false" }), denied({})]).toEqual([false, false]);
  });

  test("let a claim certificate connect under a prefix that no program and no device has", () => {
    // https://docs.aws.amazon.com/iot/latest/developerguide/provision-wo-cert.html
    const claim = all("AWS::IoT::Policy").find(
      ({ resource }) => resource.Properties["PolicyName"] === `millrace-${env}-claim`,
    );
    const { Statement } = claim!.resource.Properties["PolicyDocument"] as { Statement: Statement[] };
    const connect = Statement.filter(({ Action }) => list(Action).includes("iot:Connect"));
    expect(connect.map(({ Resource }) => list(Resource).map((resource) => JSON.stringify(resource)))).toEqual([
      [expect.stringMatching(new RegExp(`:client/millrace-${env}-claim-\\*"`))],
    ]);
  });

  test("have MQTT topics and a shared group of the environment's own: an account and region has one broker", () => {
    // https://docs.aws.amazon.com/general/latest/gr/iot-core.html: endpoints are per account and region. And "clients
    // that subscribe to the same shared subscription share its messages":
    // https://docs.aws.amazon.com/iot/latest/developerguide/mqtt.html
    const devices = all("AWS::IoT::Policy").find(
      ({ resource }) => resource.Properties["PolicyName"] === `millrace-${env}-sensor`,
    );
    const { Statement } = devices!.resource.Properties["PolicyDocument"] as { Statement: Statement[] };
    expect(allowed(Statement, "iot:Publish")).toEqual([expect.stringContaining(`:topic/${env}/imu/\${iot:ClientId}"`)]);
    const bridges = all("AWS::ECS::TaskDefinition").filter(({ resource }) =>
      String(resource.Properties["Family"]).startsWith(`millrace-${env}-bridge`),
    );
    expect(bridges.length).toBe(config.bridge.tasks);
    for (const { stack, resource } of bridges) {
      const [{ Environment: variables }] = resource.Properties["ContainerDefinitions"] as [
        { Environment: { Name: string; Value: unknown }[] },
      ];
      const value = (name: string): unknown => variables.find(({ Name }) => Name === name)?.Value;
      expect([value("MQTT_PREFIX"), value("MQTT_SHARE_GROUP")]).toEqual([env, `millrace-${env}-bridge`]);
      const role = /"(Service[^"]*TaskRole)/.exec(JSON.stringify(resource.Properties["TaskRoleArn"]))?.[1] ?? "none";
      const statements = statementsOf(stack, role);
      expect(allowed(statements, "iot:Subscribe")).toEqual([
        expect.stringContaining(`:topicfilter/$share/millrace-${env}-bridge/${env}/imu/#"`),
      ]);
      expect(allowed(statements, "iot:Receive")).toEqual([expect.stringContaining(`:topic/${env}/imu/*"`)]);
    }
  });

  test("let one connection stay in the MQTT group, and every other leave it before its task loses its rights", () => {
    // https://docs.aws.amazon.com/iot/latest/developerguide/mqtt.html, "Session lifecycle in shared subscription
    // group": a group with a persistent session queues what nobody takes, and a session leaves "when it explicitly
    // unsubscribes". CloudFormation deletes a resource before those that it depends on.
    const services = all("AWS::ECS::Service").filter(({ resource }) =>
      String(resource.Properties["ServiceName"]).startsWith(`millrace-${env}-bridge-`),
    );
    expect(services.length).toBe(config.bridge.tasks);
    const kept = services.map(({ stack, resource }) => {
      const { Resources } = platform.templates[stack]!;
      const { Ref: task } = resource.Properties["TaskDefinition"] as { Ref: string };
      const { ContainerDefinitions } = Resources[task]!.Properties as {
        ContainerDefinitions: [{ StopTimeout: number; Environment: { Name: string; Value: unknown }[] }];
      };
      const [{ StopTimeout, Environment }] = ContainerDefinitions;
      expect(StopTimeout).toBeGreaterThanOrEqual(15);
      const policies = list(resource.DependsOn ?? []).filter((id) => Resources[id]!.Type === "AWS::IAM::Policy");
      expect(policies.some((id) => JSON.stringify(Resources[id]!.Properties).includes("iot:Receive"))).toBe(true);
      const value = (name: string): unknown => Environment.find(({ Name }) => Name === name)?.Value;
      return [value("MQTT_CLIENT_ID"), value("MQTT_SESSIONS_KEPT") ?? "1"];
    });
    expect(kept).toEqual(kept.map((_, n) => [`millrace-${env}-bridge-${n}`, n === 0 ? "1" : "0"]));
  });

  test("tell the functions which origins may read their answers", () => {
    // https://docs.aws.amazon.com/apigateway/latest/developerguide/how-to-cors.html: with a proxy integration the
    // function answers with the header.
    const methods = all("AWS::ApiGateway::Method").filter(
      ({ stack, resource }) => stack === "serving" && resource.Properties["HttpMethod"] !== "OPTIONS",
    );
    const called = new Set(
      methods.map(
        ({ resource }) => /"(Function[a-z]+Function[0-9A-F]{8})"/.exec(JSON.stringify(resource.Properties))?.[1],
      ),
    );
    expect(called.size).toBeGreaterThan(4);
    for (const id of called) {
      const { Properties } = platform.templates["serving"]!.Resources[id!]!;
      const { Variables } = Properties["Environment"] as { Variables: Record<string, string> };
      expect([id, Variables["CORS_ORIGINS"]]).toEqual([id, config.api.corsOrigins.join(",")]);
    }
    if (config.web.domain !== null) expect(config.api.corsOrigins).toContain(`https://${config.web.domain.name}`);
  });

  test("answer 404 for what is not there: a path of the API, a file of the page", () => {
    // https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html
    const missing = all("AWS::ApiGateway::GatewayResponse").find(
      ({ resource }) => resource.Properties["ResponseType"] === "MISSING_AUTHENTICATION_TOKEN",
    )?.resource.Properties;
    expect(missing).toMatchObject({
      StatusCode: "404",
      ResponseParameters: { "gatewayresponse.header.Content-Type": "'application/problem+json'" },
    });
    const templates = missing!["ResponseTemplates"] as Record<string, string>;
    expect(problem.parse({ ...(JSON.parse(templates["application/json"]!) as object), instance: "/" })).toMatchObject({
      status: 404,
      type: "urn:millrace:problem:not-found",
    });
    // https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html: 404 for who may list the bucket, else 403.
    const policies = all("AWS::S3::BucketPolicy").filter(({ stack }) => stack === "web");
    const ofCloudFront = policies
      .flatMap(({ resource }) => (resource.Properties["PolicyDocument"] as { Statement: Statement[] }).Statement)
      .filter(({ Principal }) => JSON.stringify(Principal).includes("cloudfront"))
      .flatMap(({ Action }) => list(Action));
    expect(ofCloudFront.toSorted()).toEqual(["s3:GetObject", "s3:ListBucket"]);
  });

  test("ask of Kafka mappings what Lambda takes, and of their functions to end before the mapping gives up", () => {
    // https://docs.aws.amazon.com/lambda/latest/dg/services-msk-parameters.html: 10,000 records, 300 s; functions of up
    // to 14 minutes: https://docs.aws.amazon.com/lambda/latest/dg/with-msk-configure.html. Retries, halving, partial
    // answers and an age in provisioned mode alone:
    // https://docs.aws.amazon.com/lambda/latest/dg/kafka-retry-configurations.html
    for (const { stack, id, resource } of all("AWS::Lambda::EventSourceMapping")) {
      const { Properties: mapping } = resource;
      if (mapping["Topics"] === undefined) continue;
      const { Ref } = mapping["FunctionName"] as { Ref: string };
      const timeout = platform.templates[stack]!.Resources[Ref]!.Properties["Timeout"];
      expect([id, Number(timeout) <= 14 * 60]).toEqual([id, true]);
      expect([id, Number(mapping["BatchSize"]) <= 10_000]).toEqual([id, true]);
      expect([id, Number(mapping["MaximumBatchingWindowInSeconds"] ?? 0) <= 300]).toEqual([id, true]);
      const poller = mapping["ProvisionedPollerConfig"] as { MinimumPollers: number } | undefined;
      expect([id, poller?.MinimumPollers]).toEqual([id, 1]);
    }
  });

  test("answer a request before API Gateway gives up", () => {
    // https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html: 29 s
    // of an integration, and 10 s of a Lambda authorizer's answer are what a client waits for at most.
    const called = new Set(
      all("AWS::ApiGateway::Method", "AWS::ApiGatewayV2::Integration", "AWS::ApiGateway::Authorizer").flatMap(
        ({ stack, resource }) =>
          [...JSON.stringify(resource.Properties).matchAll(/"(Function[a-z]+Function[0-9A-F]{8})"/g)].map(
            ([, id]) => `${stack} ${id}`,
          ),
      ),
    );
    expect(called.size).toBeGreaterThan(8);
    for (const name of called) {
      const [stack = "", id = ""] = name.split(" ");
      const { Timeout } = platform.templates[stack]!.Resources[id]!.Properties;
      expect([name, Number(Timeout) <= 29]).toEqual([name, true]);
    }
  });

  test("reach the database as DocumentDB wants it", () => {
    // https://docs.aws.amazon.com/documentdb/latest/developerguide/connect_programmatically.html: TLS, the replica set
    // rs0, no retryable writes; https://docs.aws.amazon.com/documentdb/latest/developerguide/docdb-serverless.html:
    // engine 5.0.0 or later, instances of db.serverless.
    const [cluster] = all("AWS::DocDB::DBCluster");
    const { EngineVersion, ServerlessV2ScalingConfiguration } = cluster!.resource.Properties;
    expect([EngineVersion, ServerlessV2ScalingConfiguration]).toEqual([
      "5.0.0",
      { MinCapacity: config.documents.minCapacity, MaxCapacity: config.documents.maxCapacity },
    ]);
    const variables = [
      ...all("AWS::Lambda::Function").map(
        ({ resource }) =>
          (resource.Properties["Environment"] as { Variables?: Record<string, unknown> } | undefined)?.Variables ?? {},
      ),
      ...all("AWS::ECS::TaskDefinition").map(({ resource }) => {
        const [container] = resource.Properties["ContainerDefinitions"] as {
          Environment?: { Name: string; Value: unknown }[];
        }[];
        return Object.fromEntries((container?.Environment ?? []).map(({ Name, Value }) => [Name, Value]));
      }),
    ].filter((of) => of["MONGODB_URI"] !== undefined);
    expect(variables.length).toBeGreaterThan(7);
    for (const of of variables) {
      expect(JSON.stringify(of["MONGODB_URI"])).toMatch(/tls=true&replicaSet=rs0&.*retryWrites=false/);
      expect([typeof of["MONGODB_CA_FILE"], of["MONGODB_SECRET_ARN"] !== undefined]).toEqual(["string", true]);
    }
  });

  test("change the database's password when there is an instance to log in to", () => {
    // https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_RotateSecret.html: RotateImmediately is the
    // default, and the function connects to the database.
    const [schedule] = all("AWS::SecretsManager::RotationSchedule");
    expect(waitsFor(schedule!.stack, schedule!.id, ({ Type }) => Type === "AWS::DocDB::DBInstance")).toBe(true);
  });
});
