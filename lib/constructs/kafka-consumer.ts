import {
  aws_iam as iam,
  type aws_kms as kms,
  aws_lambda as lambda,
  aws_sqs as sqs,
  Duration,
  RemovalPolicy,
} from "aws-cdk-lib";
import { Construct } from "constructs";
import { eventSourceMappings, type EventSourceMapping } from "../../domain/event-source-mappings.ts";
import { functions, type FunctionName } from "../../domain/routes.ts";
import { SECOND } from "../../domain/time.ts";
import { resourceName } from "../names.ts";
import type { MillraceStack } from "../stacks/stack.ts";
import { acknowledge } from "./acknowledge.ts";
import { allowKey } from "./grants.ts";
import type { KafkaCluster } from "./kafka-cluster.ts";
import { MillraceFunction, type MillraceFunctionProps } from "./millrace-function.ts";

export interface KafkaConsumerProps {
  readonly name: FunctionName;
  readonly description: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly cluster: KafkaCluster;
  readonly key: kms.IKey;
  readonly network?: MillraceFunctionProps["network"];
}

/** Four weeks would be longer than Kafka keeps the records that the queue points to. */
const QUEUE_RETENTION = Duration.days(14);

/**
 * A function behind its Kafka topics, as `domain/event-source-mappings.ts` maps them. A batch that fails is halved and
 * tried again, from the first record that failed on; what still fails goes by its offsets to a queue, and the rest goes
 * on.
 */
export class KafkaConsumer extends Construct implements iam.IGrantable {
  readonly function: MillraceFunction;
  readonly failures: sqs.Queue;

  constructor(stack: MillraceStack, props: KafkaConsumerProps) {
    super(stack, `Consumer-${props.name}`);
    const { timeoutSeconds, memoryMb } = functions[props.name];
    this.function = new MillraceFunction(stack, {
      name: props.name,
      description: props.description,
      environment: props.environment,
      timeoutSeconds,
      memoryMiB: memoryMb,
      key: props.key,
      ...(props.network ? { network: props.network } : {}),
    });
    this.failures = new sqs.Queue(this, "Failures", {
      queueName: resourceName(stack.config, `${props.name}-failures`),
      encryption: sqs.QueueEncryption.KMS,
      encryptionMasterKey: props.key,
      enforceSSL: true,
      retentionPeriod: QUEUE_RETENTION,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    acknowledge(this.failures, { SQS3: "it is itself where failures go; an alarm watches it" });
    this.function.role.addToPolicy(
      new iam.PolicyStatement({ actions: ["sqs:SendMessage"], resources: [this.failures.queueArn] }),
    );
    allowKey(this.function, props.key, "sqs", ["Decrypt", "GenerateDataKey"]);
    for (const mapping of eventSourceMappings.filter(({ functionName }) => functionName === props.name))
      this.#listen(stack, mapping, props.cluster);
  }

  get grantPrincipal(): iam.IPrincipal {
    return this.function.role;
  }

  #listen(
    stack: MillraceStack,
    {
      topic,
      consumerGroup,
      batchSize,
      batchingWindowMs,
      maximumRetryAttempts,
      maximumRecordAgeMs,
      bisectBatchOnError,
    }: EventSourceMapping,
    cluster: KafkaCluster,
  ): void {
    cluster.grantPoll(this.function, topic, consumerGroup);
    const mapping = new lambda.EventSourceMapping(this, `From-${topic}`, {
      target: this.function.function,
      eventSourceArn: cluster.arn,
      kafkaTopic: topic,
      kafkaConsumerGroupId: consumerGroup,
      startingPosition: lambda.StartingPosition.TRIM_HORIZON,
      batchSize,
      // Half a second is the service's own default, and less than a whole second can only be had by leaving it out.
      ...(batchingWindowMs >= SECOND ? { maxBatchingWindow: Duration.millis(batchingWindowMs) } : {}),
      reportBatchItemFailures: true,
      bisectBatchOnError,
      retryAttempts: maximumRetryAttempts,
      ...(maximumRecordAgeMs > 0 ? { maxRecordAge: Duration.millis(maximumRecordAgeMs) } : {}),
      // Retries, halving and partial answers are had in provisioned mode; one group of pollers shares its capacity.
      provisionedPollerConfig: {
        minimumPollers: 1,
        maximumPollers: 10,
        pollerGroupName: resourceName(stack.config, "pollers"),
      },
      onFailure: { bind: () => ({ destination: this.failures.queueArn }) },
    });
    mapping.node.addDependency(this.function.role);
  }
}
