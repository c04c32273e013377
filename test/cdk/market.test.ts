import { beforeAll, describe, expect, test } from "@jest/globals";
import { environment } from "../../config/environments/index.ts";
import { metrics } from "../../domain/metrics.ts";
import { semanticsSettings } from "../../domain/semantics.ts";
import { expressionId } from "../../lib/constructs/metrics.ts";
import { resourcesOf, synthesised, type Resource, type SynthName, type Synthesised } from "./synthesised.ts";

const LIMIT_MS = 300_000;

/** The synths where the market runs, with what their configs say. */
const running = [
  { name: "dev", env: "dev", archiveDays: environment("dev").market.archiveDays, concurrency: 5, retained: false },
  { name: "market-prod", env: "prod", archiveDays: 90, concurrency: 50, retained: true },
] as const;

type Properties = Readonly<Record<string, unknown>>;

/** The value at a path; undefined where the path ends early. */
function at(value: unknown, ...path: (string | number)[]): unknown {
  return path.reduce<unknown>((inner, key) => (inner as Record<string | number, unknown> | undefined)?.[key], value);
}

interface Statement {
  readonly Sid?: string;
  readonly Action: string | readonly string[];
  readonly Principal?: unknown;
  readonly Condition?: unknown;
}

describe.each(["staging", "prod"] as const)("without a market, %s", (env) => {
  test(
    "has nothing that names it",
    async () => {
      const { templates } = await synthesised(env);
      expect(Object.keys(templates)).not.toContain("market");
      // The settings of the semantics are one table, whatever pipelines run.
      const settings = semanticsSettings.flatMap(([setting, { env: variable }]) => [`"${setting}`, `"${variable}"`]);
      // An alarm adds up what clients lose, of sensors and of trades.
      const names = [...settings, ...Object.keys(metrics).flatMap((name) => [name, expressionId(name)])];
      const withoutNames = (text: string): string =>
        names.reduce((rest, word) => rest.replaceAll(word, ""), text.replaceAll('\\"', '"'));
      const named = Object.entries(templates).flatMap(([stack, { Resources }]) =>
        Object.entries(Resources)
          .filter(([id, resource]) => /market|trade/i.test(id + withoutNames(JSON.stringify(resource))))
          .map(([id]) => `${stack}/${id}`),
      );
      expect(named).toEqual([]);
    },
    LIMIT_MS,
  );
});

describe.each(running)("with a market, $name", ({ name, env, archiveDays, concurrency, retained }) => {
  let platform: Synthesised;
  const all = (type: string): ReturnType<typeof resourcesOf> => resourcesOf(platform, type);
  /** The one resource of a type of which a property has a value. */
  const one = (type: string, property: string, value: unknown): Resource & { readonly id: string } => {
    const found = all(type).filter(({ resource }) => resource.Properties[property] === value);
    expect(found.length).toBe(1);
    return { id: found[0]!.id, ...found[0]!.resource };
  };
  const queue = (what: string): Resource & { readonly id: string } =>
    one("AWS::SQS::Queue", "QueueName", `millrace-${env}-${what}`);
  const arnOf = (id: string): object => ({ "Fn::GetAtt": [id, "Arn"] });

  beforeAll(async () => {
    platform = await synthesised(name as SynthName);
  }, LIMIT_MS);

  // https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-encryption-event-bus-cmkey.html
  test("has a bus that a key of its own encrypts, and a queue for what it can't", () => {
    const bus = one("AWS::Events::EventBus", "Name", `millrace-${env}-market`);
    expect(JSON.stringify(bus.Properties["KmsKeyIdentifier"])).toContain("Keyreadings");
    expect(at(bus.Properties, "DeadLetterConfig", "Arn")).toEqual(arnOf(queue("trades-failures").id));
    expect(bus.DeletionPolicy).toBe(retained ? "Retain" : "Delete");
    // No policy of its own: principals of this account alone, as far as their IAM policies let them.
    expect(all("AWS::Events::EventBusPolicy")).toEqual([]);
  });

  // https://docs.aws.amazon.com/eventbridge/latest/userguide/encryption-archives.html
  test("keeps the trades in an encrypted archive as long as the config says", () => {
    const bus = one("AWS::Events::EventBus", "Name", `millrace-${env}-market`);
    const archive = one("AWS::Events::Archive", "ArchiveName", `millrace-${env}-market`);
    expect(archive.Properties).toMatchObject({
      RetentionDays: archiveDays,
      EventPattern: { "detail-type": ["Trade"] },
      SourceArn: arnOf(bus.id),
    });
    expect(JSON.stringify(archive.Properties["KmsKeyIdentifier"])).toContain("Keyreadings");
    expect(archive.DeletionPolicy).toBe(retained ? "Retain" : "Delete");
    const [key] = all("AWS::KMS::Key").filter(({ id }) => id.startsWith("Keyreadings"));
    const statements = at(key?.resource.Properties, "KeyPolicy", "Statement") as Statement[];
    const forEvents = statements.filter(({ Principal }) => at(Principal, "Service") === "events.amazonaws.com");
    // What the bus and the archive need, bound to this bus; DescribeKey has no encryption context.
    expect(forEvents.map(({ Action }) => Action)).toEqual([
      ["kms:Decrypt", "kms:GenerateDataKey", "kms:ReEncryptFrom", "kms:ReEncryptTo"],
      ["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"],
    ]);
    expect(JSON.stringify(forEvents[0]?.Condition)).toContain(`:event-bus/millrace-${env}-market`);
    expect(JSON.stringify(forEvents[1]?.Condition)).toContain("aws:SourceAccount");
  });

  // https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
  test("hands trades to a queue, and keeps those that it could not hand on", () => {
    const bus = one("AWS::Events::EventBus", "Name", `millrace-${env}-market`);
    const rule = one("AWS::Events::Rule", "Name", `millrace-${env}-trades`);
    expect(rule.Properties).toMatchObject({
      EventBusName: { Ref: bus.id },
      EventPattern: { "detail-type": ["Trade"] },
      Targets: [{ Arn: arnOf(queue("trades").id), DeadLetterConfig: { Arn: arnOf(queue("trades-failures").id) } }],
    });
    for (const what of ["trades", "trades-failures"]) {
      const { id } = queue(what);
      const policies = all("AWS::SQS::QueuePolicy").filter(({ resource }) =>
        JSON.stringify(resource.Properties["Queues"]).includes(`"${id}"`),
      );
      const statements = policies.flatMap(
        ({ resource }) => at(resource.Properties, "PolicyDocument", "Statement") as Statement[],
      );
      const senders = statements.filter(({ Principal }) => JSON.stringify(Principal).includes("events."));
      expect(senders.map(({ Action }) => Action)).toEqual(["sqs:SendMessage"]);
      expect(JSON.stringify(senders[0]?.Condition)).toContain(`rule/millrace-${env}-market/millrace-${env}-trades`);
      expect(JSON.stringify(statements)).toContain('"aws:SecureTransport":"false"');
    }
  });

  // https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
  test("gives the function six of its timeouts, and a trade twenty deliveries before it is a failure", () => {
    const trades = queue("trades");
    const handler = one("AWS::Lambda::Function", "FunctionName", `millrace-${env}-produce-trades`);
    expect(Number(trades.Properties["VisibilityTimeout"])).toBeGreaterThanOrEqual(
      6 * Number(handler.Properties["Timeout"]),
    );
    expect(trades.Properties["RedrivePolicy"]).toEqual({
      deadLetterTargetArn: arnOf(queue("trades-failures").id),
      maxReceiveCount: 20,
    });
    // SQS's longest, in seconds: 14 days. The failures outlive what was behind them.
    for (const each of [trades, queue("trades-failures")])
      expect(each.Properties["MessageRetentionPeriod"]).toBe(14 * 86_400);
    expect(trades.DeletionPolicy).toBe(retained ? "Retain" : "Delete");
    const [mapping] = all("AWS::Lambda::EventSourceMapping").filter(
      ({ resource }) => JSON.stringify(resource.Properties["EventSourceArn"]) === JSON.stringify(arnOf(trades.id)),
    );
    expect(mapping?.resource.Properties).toMatchObject({
      FunctionName: { Ref: handler.id },
      FunctionResponseTypes: ["ReportBatchItemFailures"],
      ScalingConfig: { MaximumConcurrency: concurrency },
      // More than ten messages want a window of a second or more.
      BatchSize: 1_000,
      MaximumBatchingWindowInSeconds: 1,
    });
  });

  test("lets the function reach Kafka alone", () => {
    const handler = one("AWS::Lambda::Function", "FunctionName", `millrace-${env}-produce-trades`);
    expect(JSON.stringify(at(handler.Properties, "VpcConfig", "SecurityGroupIds"))).toContain("Grouptrades");
    const group = one("AWS::EC2::SecurityGroup", "GroupName", `millrace-${env}-trades`);
    const leaving = all("AWS::EC2::SecurityGroupEgress").filter(({ resource }) =>
      JSON.stringify(resource.Properties["GroupId"]).includes(`"${group.id}"`),
    );
    expect(leaving.map(({ resource }) => resource.Properties["ToPort"])).toEqual([9_098]);
    const coming = all("AWS::EC2::SecurityGroupIngress").filter(({ resource }) =>
      JSON.stringify(resource.Properties["GroupId"]).includes(`"${group.id}"`),
    );
    expect(coming).toEqual([]);
    expect(JSON.stringify(group.Properties["SecurityGroupEgress"] ?? [])).not.toContain("0.0.0.0/0");
  });

  // https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html#fargate-tasks-size
  test("runs a processor of its own, with settings in force in its input, ticks, and the shared snapshots", () => {
    const task = one("AWS::ECS::TaskDefinition", "Family", `millrace-${env}-processor-market`);
    // 2 GB is a memory that Fargate has for one vCPU.
    expect([task.Properties["Cpu"], task.Properties["Memory"]]).toEqual(["1024", "2048"]);
    const variables = (family: string): Record<string, unknown> => {
      const { Properties } = one("AWS::ECS::TaskDefinition", "Family", `millrace-${env}-${family}`);
      const environmentOf = at(Properties, "ContainerDefinitions", 0, "Environment");
      return Object.fromEntries((environmentOf as { Name: string; Value: unknown }[]).map((v) => [v.Name, v.Value]));
    };
    const market = variables("processor-market");
    expect(market).toMatchObject({ PIPELINE: "market", LOG_GENERATION: "1", DELIVERY: "transactional" });
    expect(market["CHECKPOINT_TABLE"]).toEqual(variables("processor-sensor")["CHECKPOINT_TABLE"]);
    // It scores nothing, so it has no models.
    expect(Object.keys(market)).not.toContain("MODEL_SOURCE");
    expect(variables("bridge-0")["PIPELINES"]).toBe("sensor,market");
    const inputs = all("Custom::PipelineSettings").map(({ resource }) => String(resource.Properties["Input"]));
    expect(inputs.toSorted()).toEqual(["imu-data-all", "market-trades"]);
    const [topics] = all("Custom::KafkaTopics");
    expect(JSON.parse(String(topics?.resource.Properties["Inputs"]))).toEqual(["imu-data-all", "market-trades"]);
  });

  // https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-sagemaker-featuregroup.html
  test("has a feature group of bars, and lets the writer and the checker use both groups and no other", () => {
    const bars = one("AWS::SageMaker::FeatureGroup", "FeatureGroupName", `millrace-${env}-market-bars-v2`);
    expect(bars.Properties).toMatchObject({
      RecordIdentifierFeatureName: "symbol_operator",
      EventTimeFeatureName: "event_time",
    });
    const definitions = bars.Properties["FeatureDefinitions"] as { FeatureName: string; FeatureType: string }[];
    // Both must be defined: an identifier is a text, and this event time is epoch seconds.
    expect(definitions).toContainEqual({ FeatureName: "symbol_operator", FeatureType: "String" });
    expect(definitions).toContainEqual({ FeatureName: "event_time", FeatureType: "Fractional" });
    expect(at(bars.Properties, "OnlineStoreConfig", "SecurityConfig", "KmsKeyId")).toBeDefined();
    expect(bars.DeletionPolicy).toBe(retained ? "Retain" : "Delete");
    const sensors = one("AWS::SageMaker::FeatureGroup", "FeatureGroupName", `millrace-${env}-sensor-windows-v2`);
    const used = (role: string): string[] => {
      const policies = all("AWS::IAM::Policy").filter(({ id }) => id.startsWith(role));
      return policies
        .flatMap(({ resource }) => at(resource.Properties, "PolicyDocument", "Statement") as Statement[])
        .filter(({ Action }) => JSON.stringify(Action).includes("sagemaker:"))
        .flatMap((statement) => at(statement, "Resource") as unknown[])
        .map((resource) => JSON.stringify(resource));
    };
    for (const role of ["Functionwritefeatures", "Functioncheckfeatures"]) {
      const resources = used(role);
      expect(resources.length).toBe(2);
      for (const { id } of [bars, sensors])
        expect(resources.filter((text) => new RegExp(`ExportsOutputRef${id}[0-9A-F]{8}"`).test(text)).length).toBe(1);
    }
  });

  test("serves the market over REST, by functions that may use its store and its features and no topic", () => {
    const paths = all("AWS::ApiGateway::Resource").map(({ resource }) => resource.Properties["PathPart"]);
    expect(paths).toEqual(expect.arrayContaining(["symbols", "{symbol}", "bars", "positions", "alerts"]));
    const policy = (id: string): string =>
      JSON.stringify(
        all("AWS::IAM::Policy")
          .filter((each) => each.id.startsWith(id))
          .map(({ resource }) => resource.Properties["PolicyDocument"]),
      );
    const read = policy("Functionreadmarket");
    expect(read).toContain("secretsmanager:GetSecretValue");
    expect(read).toContain(`feature-group/millrace-${env}-market-bars-v2`);
    expect(read).not.toContain("sensor-windows");
    expect(read).not.toContain("kafka-cluster:");
    expect(policy("Functionstoremarket")).toContain("secretsmanager:GetSecretValue");
    const mapped = all("AWS::Lambda::EventSourceMapping")
      .filter(({ id }) => id.startsWith("Consumerstoremarket"))
      .map(({ resource }) => String(at(resource.Properties, "Topics", 0)));
    expect(mapped.toSorted()).toEqual(["market-aggregated", "market-alerts", "market-positions"]);
    expect(queue("store-market-failures").Properties["KmsMasterKeyId"]).toBeDefined();
  });

  test("makes up trades where the config says so, and nowhere else", () => {
    const schedules = all("AWS::Events::Rule").filter(
      ({ resource }) => resource.Properties["Name"] === `millrace-${env}-generate-trades`,
    );
    expect(schedules.map(({ resource }) => resource.Properties["ScheduleExpression"])).toEqual(
      name === "dev" ? ["rate(1 minute)"] : [],
    );
  });

  // https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-monitoring.html
  test("alarms on trades that failed, wait or come too late, and on a market that is behind", () => {
    const alarm = (what: string): Properties =>
      one("AWS::CloudWatch::Alarm", "AlarmName", `millrace-${env}-${what}`).Properties;
    expect(alarm("records-given-up-trades")).toMatchObject({
      MetricName: "ApproximateNumberOfMessagesVisible",
      Threshold: 0,
      ComparisonOperator: "GreaterThanThreshold",
      EvaluationPeriods: 1,
    });
    expect(alarm("trades-undelivered")).toMatchObject({ Threshold: 0, EvaluationPeriods: 1 });
    expect(at(alarm("trades-undelivered"), "Metrics", 0, "MetricStat")).toMatchObject({
      Metric: {
        Namespace: "AWS/Events",
        MetricName: "FailedInvocations",
        // A rule of a bus that is not the default one has both dimensions.
        Dimensions: [
          { Name: "EventBusName", Value: `millrace-${env}-market` },
          { Name: "RuleName", Value: `millrace-${env}-trades` },
        ],
      },
      Stat: "Sum",
    });
    expect(alarm("trades-waiting")).toMatchObject({ MetricName: "ApproximateAgeOfOldestMessage", Threshold: 60 });
    expect(JSON.stringify(alarm("late-market"))).toContain('"market-late"');
    expect(alarm("behind-market")).toMatchObject({ TreatMissingData: "breaching" });
    expect(JSON.stringify(alarm("behind-market"))).toContain('"millrace-processor-market"');
    // https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
    // An alarm names a metric by all of its dimensions: those that the function's lines have.
    for (const [what, metric] of [
      ["repeated-ids", "audit-output.repeated-ids"],
      ["missing-windows-market", "audit-output.market-missing-windows"],
      ["missing-windows-sensor", "audit-output.sensor-missing-windows"],
    ] as const)
      expect(at(alarm(what), "Metrics", 0, "MetricStat", "Metric")).toEqual({
        Namespace: "Millrace",
        MetricName: metric,
        Dimensions: [
          { Name: "environment", Value: env },
          { Name: "program", Value: "audit-output" },
        ],
      });
    expect(alarm("partition-stopped-market")).toMatchObject({ Threshold: 0 });
    expect(alarm("program-down-market")).toMatchObject({ TreatMissingData: "breaching", Threshold: 0 });
  });
});
