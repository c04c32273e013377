import { beforeAll, describe, expect, test } from "@jest/globals";
import { environment } from "../../config/environments/index.ts";
import { runningPipelines } from "../../config/pipelines.ts";
import { environments, resourcesOf, synthesised, type EnvironmentName, type Synthesised } from "./synthesised.ts";

const LIMIT_MS = 300_000;

/** The value at a path; undefined where the path ends early. */
function at(value: unknown, ...path: (string | number)[]): unknown {
  return path.reduce<unknown>((inner, key) => (inner as Record<string | number, unknown> | undefined)?.[key], value);
}

describe.each(environments)("the stacks of %s", (env: EnvironmentName) => {
  let platform: Synthesised;
  const config = environment(env);
  const pipelines = runningPipelines(config);
  const market = config.processor.market === null ? [] : ["market"];
  /** Stacks whose loss would lose data. */
  const stateful = ["security", "network", "streaming", "state", "lake", ...market];
  const all = (...types: string[]): ReturnType<typeof resourcesOf> => resourcesOf(platform, ...types);
  /** Names of the resources that fail a condition. */
  const failing = (types: string[], holds: (properties: Readonly<Record<string, unknown>>) => boolean): string[] => {
    const found = all(...types);
    expect(found.length).toBeGreaterThan(0);
    return found.filter(({ resource }) => !holds(resource.Properties)).map(({ stack, id }) => `${stack}/${id}`);
  };

  beforeAll(async () => {
    platform = await synthesised(env);
  }, LIMIT_MS);

  test("encrypt all data at rest, with keys that rotate", () => {
    expect(failing(["AWS::KMS::Key"], (key) => key["EnableKeyRotation"] === true)).toEqual([]);
    expect(
      failing(
        ["AWS::S3::Bucket"],
        (bucket) => at(bucket, "BucketEncryption", "ServerSideEncryptionConfiguration", 0) !== undefined,
      ),
    ).toEqual([]);
    const buckets = all("AWS::S3::Bucket").filter(({ id }) => /^(Bucketlake|Models|Bucketaudit)/.test(id));
    expect(
      buckets.map(({ resource }) =>
        at(
          resource.Properties,
          "BucketEncryption",
          "ServerSideEncryptionConfiguration",
          0,
          "ServerSideEncryptionByDefault",
          "SSEAlgorithm",
        ),
      ),
    ).toEqual(buckets.map(() => "aws:kms"));
    expect(buckets.length).toBe(env === "prod" ? 3 : 2);
    expect(
      failing(
        ["AWS::DynamoDB::Table"],
        (table) =>
          at(table, "SSESpecification", "SSEType") === "KMS" &&
          at(table, "SSESpecification", "KMSMasterKeyId") !== undefined,
      ),
    ).toEqual([]);
    expect(
      failing(
        ["AWS::DocDB::DBCluster"],
        (cluster) => cluster["StorageEncrypted"] === true && cluster["KmsKeyId"] !== undefined,
      ),
    ).toEqual([]);
    expect(
      failing(
        ["AWS::KinesisFirehose::DeliveryStream"],
        (stream) => at(stream, "DeliveryStreamEncryptionConfigurationInput", "KeyType") === "CUSTOMER_MANAGED_CMK",
      ),
    ).toEqual([]);
    expect(failing(["AWS::SQS::Queue"], (queue) => queue["KmsMasterKeyId"] !== undefined)).toEqual([]);
    expect(failing(["AWS::SNS::Topic"], (topic) => topic["KmsMasterKeyId"] !== undefined)).toEqual([]);
    expect(failing(["AWS::SecretsManager::Secret"], (secret) => secret["KmsKeyId"] !== undefined)).toEqual([]);
    expect(
      failing(
        ["AWS::SageMaker::FeatureGroup"],
        (group) => at(group, "OnlineStoreConfig", "SecurityConfig", "KmsKeyId") !== undefined,
      ),
    ).toEqual([]);
  });

  test("let nothing be read without TLS", () => {
    const secured = all("AWS::S3::BucketPolicy").filter(({ resource }) =>
      JSON.stringify(resource.Properties["PolicyDocument"]).includes('"aws:SecureTransport":"false"'),
    ).length;
    expect(secured).toBe(all("AWS::S3::Bucket").length);
    expect(
      failing(["AWS::DocDB::DBClusterParameterGroup"], (group) => at(group, "Parameters", "tls") === "enabled"),
    ).toEqual([]);
    expect(
      failing(
        ["AWS::MSK::ServerlessCluster"],
        (cluster) => at(cluster, "ClientAuthentication", "Sasl", "Iam", "Enabled") === true,
      ),
    ).toEqual([]);
  });

  test("open no bucket to the public", () => {
    expect(
      failing(
        ["AWS::S3::Bucket"],
        (bucket) =>
          JSON.stringify(bucket["PublicAccessBlockConfiguration"]) ===
          JSON.stringify({
            BlockPublicAcls: true,
            BlockPublicPolicy: true,
            IgnorePublicAcls: true,
            RestrictPublicBuckets: true,
          }),
      ),
    ).toEqual([]);
  });

  test("let nothing in from outside of the VPC, and name who talks to whom by security groups", () => {
    expect(
      all("AWS::EC2::SecurityGroup").flatMap(
        ({ resource }) => (resource.Properties["SecurityGroupIngress"] as unknown[] | undefined) ?? [],
      ),
    ).toEqual([]);
    expect(
      failing(
        ["AWS::EC2::SecurityGroupIngress"],
        (rule) => rule["SourceSecurityGroupId"] !== undefined && rule["CidrIp"] === undefined,
      ),
    ).toEqual([]);
    const outside = all("AWS::EC2::SecurityGroup").flatMap(({ resource }) =>
      (
        (resource.Properties["SecurityGroupEgress"] ?? []) as { CidrIp: string; FromPort?: number; ToPort?: number }[]
      ).filter(({ CidrIp }) => CidrIp === "0.0.0.0/0"),
    );
    expect(outside.length).toBeGreaterThan(0);
    expect(outside.map(({ FromPort, ToPort }) => [FromPort, ToPort])).toEqual(outside.map(() => [443, 443]));
    expect(failing(["AWS::EC2::FlowLog"], (log) => log["TrafficType"] === "ALL")).toEqual([]);
  });

  test("keep what the config says is kept, and protect it from deletion", () => {
    const stores = all(
      "AWS::DynamoDB::Table",
      "AWS::MSK::ServerlessCluster",
      "AWS::KMS::Key",
      "AWS::SageMaker::FeatureGroup",
      "AWS::S3::Bucket",
      "AWS::Cognito::UserPool",
      "AWS::Events::EventBus",
      "AWS::Events::Archive",
    ).filter(({ stack }) => stateful.includes(stack));
    expect([...new Set(stores.map(({ resource }) => resource.DeletionPolicy))]).toEqual([
      config.retainData ? "Retain" : "Delete",
    ]);
    expect(all("AWS::DocDB::DBCluster").map(({ resource }) => resource.DeletionPolicy)).toEqual([
      config.retainData ? "Snapshot" : "Delete",
    ]);
    expect(
      failing(
        ["AWS::DynamoDB::Table"],
        (table) =>
          (table["DeletionProtectionEnabled"] ?? false) === config.retainData &&
          at(table, "PointInTimeRecoverySpecification", "PointInTimeRecoveryEnabled") === true,
      ),
    ).toEqual([]);
    expect(
      failing(
        ["AWS::DocDB::DBCluster"],
        (cluster) =>
          (cluster["DeletionProtection"] ?? false) === config.retainData &&
          cluster["BackupRetentionPeriod"] === config.documents.backupDays,
      ),
    ).toEqual([]);
    expect(
      Object.entries(platform.stacks)
        .filter(([, { terminationProtection }]) => terminationProtection)
        .map(([id]) => id)
        .sort(),
    ).toEqual(config.retainData ? stateful.toSorted() : []);
  });

  test("hold data in the stateful stacks alone", () => {
    const stores = all(
      "AWS::DynamoDB::Table",
      "AWS::MSK::ServerlessCluster",
      "AWS::KMS::Key",
      "AWS::SageMaker::FeatureGroup",
      "AWS::DocDB::DBCluster",
      "AWS::Cognito::UserPool",
      "AWS::Glue::Database",
      "AWS::EC2::VPC",
      "AWS::SecretsManager::Secret",
      "AWS::Events::EventBus",
      "AWS::Events::Archive",
    );
    expect([...new Set(stores.map(({ stack }) => stack))].sort()).toEqual(stateful.toSorted());
    expect(
      all("AWS::S3::Bucket")
        .filter(({ stack }) => !stateful.includes(stack))
        .map(({ stack }) => stack),
    ).toEqual(["web", "web"]);
    expect(all("AWS::ECS::Service").every(({ stack }) => !stateful.includes(stack))).toBe(true);
  });

  test("have no cycles among them, and every log an end", () => {
    const done = new Set<string>();
    const visit = (id: string, path: readonly string[]): void => {
      expect(path).not.toContain(id);
      if (done.has(id)) return;
      for (const next of platform.stacks[id]?.dependencies ?? []) visit(next, [...path, id]);
      done.add(id);
    };
    for (const id of Object.keys(platform.stacks)) visit(id, []);
    expect(failing(["AWS::Logs::LogGroup"], (group) => group["RetentionInDays"] === config.logRetentionDays)).toEqual(
      [],
    );
  });

  test("have the environment in every name, and the tags of the config", () => {
    const named = {
      "AWS::DynamoDB::Table": "TableName",
      "AWS::Lambda::Function": "FunctionName",
      "AWS::SQS::Queue": "QueueName",
      "AWS::ECS::Service": "ServiceName",
      "AWS::ECS::Cluster": "ClusterName",
      "AWS::KinesisFirehose::DeliveryStream": "DeliveryStreamName",
      "AWS::MSK::ServerlessCluster": "ClusterName",
      "AWS::ApiGateway::RestApi": "Name",
      "AWS::SNS::Topic": "TopicName",
      "AWS::CloudWatch::Alarm": "AlarmName",
      "AWS::IoT::Policy": "PolicyName",
    };
    for (const [type, property] of Object.entries(named)) {
      const names = all(type)
        .map(({ resource }) => resource.Properties[property])
        .filter((name) => typeof name === "string");
      expect(names.length).toBeGreaterThan(0);
      expect(names.filter((name) => !name.startsWith(`millrace-${env}-`))).toEqual([]);
    }
    for (const { stackName, tags } of Object.values(platform.stacks)) {
      expect(stackName).toMatch(new RegExp(`^millrace-${env}-[a-z]+$`));
      expect(tags).toMatchObject({ project: "millrace", environment: env, ...config.tags });
    }
  });

  test("run containers that can't write, aren't root, are watched, and have time to hand over", () => {
    // The task of an operator's command ends by itself: test/cdk/on-aws.test.ts.
    const containers = all("AWS::ECS::TaskDefinition")
      .filter(({ stack }) => stack !== "operations")
      .flatMap(({ resource }) => resource.Properties["ContainerDefinitions"] as Record<string, unknown>[]);
    expect(containers.length).toBe(all("AWS::ECS::Service").length);
    for (const container of containers) {
      expect(container).toMatchObject({
        ReadonlyRootFilesystem: true,
        User: "1000:1000",
        Essential: true,
        StopTimeout: 120,
        LinuxParameters: { InitProcessEnabled: true },
      });
      expect(at(container, "HealthCheck", "Command")).toEqual(expect.arrayContaining(["CMD", "node"]));
    }
    expect(
      failing(
        ["AWS::ECS::TaskDefinition"],
        (task) => at(task, "RuntimePlatform", "CpuArchitecture") === "ARM64" && task["Cpu"] === "1024",
      ),
    ).toEqual([]);
    expect(
      failing(
        ["AWS::ECS::Service"],
        (service) =>
          at(service, "DeploymentConfiguration", "DeploymentCircuitBreaker", "Enable") === true &&
          at(service, "DeploymentConfiguration", "DeploymentCircuitBreaker", "Rollback") === true,
      ),
    ).toEqual([]);
    expect(
      failing(
        ["AWS::ECS::Service"],
        (service) =>
          at(service, "NetworkConfiguration", "AwsvpcConfiguration", "AssignPublicIp") === "DISABLED" ||
          config.network.natGateways === 0,
      ),
    ).toEqual([]);
  });

  test("run one processor service per pipeline of the config, and none of a pipeline that is not there", () => {
    const processors = all("AWS::ECS::Service")
      .map(({ resource }) => String(resource.Properties["ServiceName"]))
      .filter((name) => name.includes("processor"));
    expect(processors).toEqual(pipelines.map(({ name }) => `millrace-${env}-processor-${name}`));
  });

  test("scale the processor up to its partitions at most, by lag and by CPU, and live by CPU", () => {
    const targets = all("AWS::ApplicationAutoScaling::ScalableTarget");
    const sizes = [...pipelines.map(({ size }) => size), config.live];
    expect(sizes.length).toBeGreaterThan(1);
    expect(
      targets.map(({ resource }) => [resource.Properties["MinCapacity"], resource.Properties["MaxCapacity"]]),
    ).toEqual(sizes.map(({ minTasks, maxTasks }) => [minTasks, maxTasks]));
    expect(
      all("AWS::ApplicationAutoScaling::ScalingPolicy").map(({ resource }) => resource.Properties["PolicyType"]),
    ).toEqual([
      ...pipelines.flatMap(() => ["TargetTrackingScaling", "TargetTrackingScaling"]),
      "TargetTrackingScaling",
    ]);
    const lag = all("AWS::ApplicationAutoScaling::ScalingPolicy").filter(({ resource }) =>
      JSON.stringify(resource.Properties).includes("SumOffsetLag"),
    );
    expect(lag.length).toBe(pipelines.length);
  });

  test("trace every function of ours, run it on arm64, and retry what it could not take", () => {
    const own = all("AWS::Lambda::Function").filter(({ id }) => id.startsWith("Function"));
    expect(
      own.map(({ resource }) => [
        resource.Properties["Runtime"],
        at(resource.Properties, "Architectures", 0),
        at(resource.Properties, "TracingConfig", "Mode"),
      ]),
    ).toEqual(own.map(() => ["nodejs24.x", "arm64", "Active"]));
    expect(
      failing(
        ["AWS::Lambda::EventSourceMapping"],
        (mapping) => JSON.stringify(mapping["FunctionResponseTypes"]) === '["ReportBatchItemFailures"]',
      ),
    ).toEqual([]);
    // Those of Kafka; the queue of trades has its own retries and failures.
    expect(
      failing(
        ["AWS::Lambda::EventSourceMapping"],
        (mapping) =>
          mapping["Topics"] === undefined ||
          (mapping["BisectBatchOnFunctionError"] === true &&
            at(mapping, "DestinationConfig", "OnFailure", "Destination") !== undefined &&
            mapping["ProvisionedPollerConfig"] !== undefined &&
            mapping["StartingPosition"] === "TRIM_HORIZON"),
      ),
    ).toEqual([]);
  });

  test("need a token for all but / and /health, wherever the config names an issuer", () => {
    const methods = all("AWS::ApiGateway::Method").filter(
      ({ stack, resource }) => stack !== "operators" && resource.Properties["HttpMethod"] !== "OPTIONS",
    );
    const secured = methods
      .filter(({ resource }) => resource.Properties["AuthorizationType"] === "CUSTOM")
      .map(({ id }) => id);
    if (config.api.auth === null) return expect(secured).toEqual([]);
    // Open: / and /health, and the answer 404 to all other paths.
    const open = methods.filter(({ resource }) => resource.Properties["AuthorizationType"] !== "CUSTOM");
    expect(
      open
        .map(({ resource }) => JSON.stringify(resource.Properties["ResourceId"]))
        .filter((resource) => !["RootResourceId", "health", "proxy"].some((name) => resource.includes(name))),
    ).toEqual([]);
    expect(open.length).toBe(3);
    const connect = all("AWS::ApiGatewayV2::Route").filter(
      ({ resource }) => resource.Properties["RouteKey"] === "$connect",
    );
    expect(connect.map(({ resource }) => resource.Properties["AuthorizationType"])).toEqual(["CUSTOM"]);
    expect(
      JSON.stringify(all("AWS::ApiGatewayV2::Authorizer").map(({ resource }) => resource.Properties["IdentitySource"])),
    ).toContain("route.request.querystring.ticket");
  });

  test("let a page of another origin read that its token is missing", () => {
    const [origin] = config.api.corsOrigins;
    expect(
      failing(
        ["AWS::ApiGateway::GatewayResponse"],
        (response) =>
          at(response, "ResponseParameters", "gatewayresponse.header.Access-Control-Allow-Origin") === `'${origin}'` &&
          at(response, "ResponseParameters", "gatewayresponse.header.Content-Type") === "'application/problem+json'",
      ).filter((name) => !name.startsWith("operators/")),
    ).toEqual([]);
    expect(
      all("AWS::ApiGateway::GatewayResponse")
        .filter(({ stack }) => stack !== "operators")
        .map(({ resource }) => String(resource.Properties["ResponseType"]))
        .sort(),
    ).toEqual(["DEFAULT_4XX", "DEFAULT_5XX", "MISSING_AUTHENTICATION_TOKEN", "THROTTLED", "UNAUTHORIZED"]);
  });

  test("have a firewall and throttling before the API", () => {
    expect(all("AWS::WAFv2::WebACLAssociation").length).toBe(1);
    expect(
      failing(
        ["AWS::ApiGateway::Stage"],
        (stage) =>
          at(stage, "MethodSettings", 0, "ThrottlingRateLimit") === config.api.requestsPerSecond &&
          stage["AccessLogSetting"] !== undefined &&
          stage["TracingEnabled"] === true,
      ).filter((name) => !name.startsWith("operators/")),
    ).toEqual([]);
  });

  test("alarm on the first dead letter, on lag and on a missing lag", () => {
    const alarms = Object.fromEntries(
      all("AWS::CloudWatch::Alarm").map(({ resource }) => [
        String(resource.Properties["AlarmName"]),
        resource.Properties,
      ]),
    );
    expect(alarms[`millrace-${env}-dead-letters`]).toMatchObject({
      Threshold: 0,
      ComparisonOperator: "GreaterThanThreshold",
      EvaluationPeriods: 1,
    });
    // Of a code without an alarm of its own: the programs count them.
    const counted = JSON.stringify(alarms[`millrace-${env}-dead-letters`]);
    expect(counted).toContain('"MetricName":"processor.dead-letters"');
    expect(counted).toContain('"sequence-reused"');
    expect(at(alarms[`millrace-${env}-dead-letter-flood`], "Metrics", 1, "MetricStat", "Metric")).toMatchObject({
      MetricName: "MessagesInPerSec",
      Namespace: "AWS/Kafka",
      Dimensions: expect.arrayContaining([{ Name: "Topic", Value: "dead-letter" }]),
    });
    expect(alarms[`millrace-${env}-lag-sensor`]).toMatchObject({ Threshold: 50_000 });
    expect(alarms[`millrace-${env}-behind-sensor`]).toMatchObject({ TreatMissingData: "breaching" });
    expect(alarms[`millrace-${env}-partition-stopped-sensor`]).toMatchObject({ Threshold: 0 });
    expect(alarms[`millrace-${env}-no-input-sensor`]).toMatchObject({ TreatMissingData: "breaching" });
  });

  test("deliver Parquet with buffers that Firehose accepts, and errors elsewhere", () => {
    const streams = all("AWS::KinesisFirehose::DeliveryStream");
    // https://docs.aws.amazon.com/firehose/latest/dev/controlling-access.html#using-iam-s3: the ARN of the log stream.
    const logged = all("AWS::IAM::Policy")
      .filter(({ id }) => id.startsWith("Delivery"))
      .map(({ resource }) => JSON.stringify(resource.Properties["PolicyDocument"]));
    expect(logged.length).toBe(streams.length);
    for (const policy of logged) expect(policy).toMatch(/:log-group:.{0,60}:log-stream:delivery"/);
    for (const { resource } of streams) {
      const destination = resource.Properties["ExtendedS3DestinationConfiguration"] as Record<string, unknown>;
      expect(
        at(destination, "DataFormatConversionConfiguration", "OutputFormatConfiguration", "Serializer", "ParquetSerDe"),
      ).toBeDefined();
      expect(at(destination, "BufferingHints", "SizeInMBs")).toBeGreaterThanOrEqual(64);
      expect(at(destination, "BufferingHints", "IntervalInSeconds")).toBeLessThanOrEqual(900);
      expect(destination["CompressionFormat"]).toBe("UNCOMPRESSED");
      expect(destination["ErrorOutputPrefix"]).toContain("!{firehose:error-output-type}");
      expect(destination["Prefix"]).not.toContain("sensor");
    }
    expect(streams.length).toBe(config.processor.market === null ? 6 : 9);
  });

  test("keep the lake for seven years in production, archived", () => {
    const lake = all("AWS::S3::Bucket").find(({ id }) => id.startsWith("Bucketlake"))?.resource.Properties;
    const rule = (
      at(lake, "LifecycleConfiguration", "Rules") as {
        Id: string;
        ExpirationInDays?: number;
        Transitions?: { StorageClass: string }[];
      }[]
    ).find(({ Id }) => Id === "tables");
    if (env === "prod") expect(rule?.ExpirationInDays).toBe(7 * 365 + 2);
    expect(rule?.Transitions?.[0]?.StorageClass).toBe(config.lake.glacierAfterDays === null ? undefined : "GLACIER_IR");
    expect(at(lake, "VersioningConfiguration", "Status")).toBe("Enabled");
    expect(at(lake, "LoggingConfiguration", "LogFilePrefix")).toBe("lake/");
    expect(at(lake, "ReplicationConfiguration") !== undefined).toBe(config.lake.replica !== null);
  });

  test("let a device publish as itself to its own topic, read its own notices, and nothing else", () => {
    const policy = all("AWS::IoT::Policy").find(
      ({ resource }) => resource.Properties["PolicyName"] === `millrace-${env}-sensor`,
    );
    const statements = at(policy?.resource.Properties, "PolicyDocument", "Statement") as {
      Action: string[];
      Resource: unknown[];
    }[];
    expect(statements.map(({ Action }) => Action)).toEqual([
      ["iot:Connect"],
      ["iot:Publish"],
      ["iot:Subscribe"],
      ["iot:Receive"],
    ]);
    expect(JSON.stringify(statements[2]?.Resource)).toContain(`topicfilter/${env}/rejected/\${iot:ClientId}`);
    expect(JSON.stringify(statements[3]?.Resource)).toContain(`topic/${env}/rejected/\${iot:ClientId}`);
    expect(JSON.stringify(statements[0]?.Resource)).toContain("client/${iot:Connection.Thing.ThingName}");
    expect(JSON.stringify(statements[1]?.Resource)).toContain(`topic/${env}/imu/\${iot:ClientId}`);
    expect(
      failing(
        ["AWS::IoT::ProvisioningTemplate"],
        (template) => at(template, "PreProvisioningHook", "TargetArn") !== undefined,
      ),
    ).toEqual([]);
    expect(
      failing(["AWS::IoT::TopicRule"], (rule) => at(rule, "TopicRulePayload", "ErrorAction") !== undefined),
    ).toEqual([]);
  });

  test("rotate the database's password", () => {
    expect(
      failing(["AWS::SecretsManager::RotationSchedule"], (schedule) =>
        JSON.stringify(schedule["RotationRules"]).includes("30 days"),
      ),
    ).toEqual([]);
    expect(failing(["AWS::DocDB::DBInstance"], (instance) => instance["DBInstanceClass"] === "db.serverless")).toEqual(
      [],
    );
  });
});
