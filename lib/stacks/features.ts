import { aws_events as events, aws_events_targets as targets, type aws_sqs as sqs, Duration } from "aws-cdk-lib";
import type { Construct } from "constructs";
import { runningPipelineNames } from "../../config/pipelines.ts";
import type { Environment } from "../../config/schema.ts";
import { programs, writeSettings } from "../../config/settings.ts";
import { featureGroupName } from "../../domain/names.ts";
import { functions } from "../../domain/routes.ts";
import type { KafkaConsumer } from "../constructs/kafka-consumer.ts";
import { MillraceFunction } from "../constructs/millrace-function.ts";
import { MillraceStack } from "../constructs/millrace-stack.ts";
import { letQueryOfflineStores } from "../constructs/offline-queries.ts";
import { resourceName } from "../names.ts";
import { FailureQueue } from "../reusable/failure-queue.ts";
import { allow, allowKey } from "../reusable/grants.ts";
import { kafkaConsumer } from "./consumers.ts";
import type { LakeStack } from "./lake.ts";
import type { SecurityStack } from "./security.ts";
import type { StreamingStack } from "./streaming.ts";

/** What writes the feature store, and what checks that it can be read. */
export class FeaturesStack extends MillraceStack {
  readonly writeFeatures: KafkaConsumer;
  readonly checkFeatures: MillraceFunction;
  /** Checks that EventBridge could not start. */
  readonly missedChecks: sqs.Queue;

  constructor(
    scope: Construct,
    id: string,
    config: Environment,
    {
      security,
      streaming,
      lake,
    }: { readonly security: SecurityStack; readonly streaming: StreamingStack; readonly lake: LakeStack },
  ) {
    super(scope, id, { config, stateful: false, description: "feature writer and checker" });
    const groupSettings = {
      environment: config.name,
      pipelines: runningPipelineNames(config),
      featureGroup: featureGroupName(config.name, "sensorWindows"),
      ...(lake.featureGroups.marketBars ? { marketFeatureGroup: featureGroupName(config.name, "marketBars") } : {}),
    };
    this.writeFeatures = kafkaConsumer(this, {
      name: "write-features",
      description: "windows and bars to the feature store",
      environment: writeSettings("writeFeatures", groupSettings),
      cluster: streaming.cluster,
      key: security.keys.operations,
    });
    this.writeFeatures.function.function.addEnvironment(
      programs.writeFeatures.failureQueueUrl.env,
      this.writeFeatures.failures.queueUrl,
    );
    this.checkFeatures = new MillraceFunction(this, {
      name: "check-features",
      description: "looks for the newest records in the online and the offline store, and for its own",
      environment: writeSettings("checkFeatures", { ...groupSettings, athenaWorkGroup: lake.workGroup.name }),
      timeoutSeconds: 60,
      memoryMiB: functions["write-features"].memoryMb,
      key: security.keys.operations,
      reservedConcurrency: 1,
    });
    const groups = Object.values(lake.featureGroups).map(({ ref }) =>
      this.formatArn({ service: "sagemaker", resource: "feature-group", resourceName: ref }),
    );
    for (const [grantee, actions] of [
      [this.writeFeatures.function, ["sagemaker:PutRecord"]],
      [
        this.checkFeatures,
        ["sagemaker:PutRecord", "sagemaker:GetRecord", "sagemaker:DeleteRecord", "sagemaker:DescribeFeatureGroup"],
      ],
    ] as const) {
      allow(grantee, actions, groups);
      allowKey(grantee, security.keys.readings, "sagemaker", ["Decrypt", "GenerateDataKey"]);
    }
    letQueryOfflineStores(this, this.checkFeatures, {
      bucket: lake.bucket,
      workGroup: lake.workGroup,
      key: security.keys.readings,
      erases: false,
    });
    this.missedChecks = new FailureQueue(this, "MissedChecks", {
      queueName: resourceName(config, "missed-feature-checks"),
      key: security.keys.operations,
    });
    new events.Rule(this, "CheckSchedule", {
      ruleName: resourceName(config, "check-features"),
      schedule: events.Schedule.rate(Duration.minutes(5)),
      targets: [
        new targets.LambdaFunction(this.checkFeatures.function, {
          retryAttempts: 0,
          maxEventAge: Duration.minutes(5),
          deadLetterQueue: this.missedChecks,
        }),
      ],
    });
  }
}
