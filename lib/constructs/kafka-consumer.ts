import {
  type aws_iam as iam,
  type aws_kms as kms,
  aws_lambda as lambda,
  type aws_sqs as sqs,
  Duration,
} from "aws-cdk-lib";
import { Construct } from "constructs";
import { runningPipelineNames } from "../../config/pipelines.ts";
import { eventSourceMappings, type EventSourceMapping } from "../../domain/event-source-mappings.ts";
import { existingWhere } from "../../domain/pipelines.ts";
import { functions, type FunctionName } from "../../domain/routes.ts";
import { SECOND } from "../../domain/time.ts";
import { resourceName } from "../names.ts";
import { FailureQueue } from "../reusable/failure-queue.ts";
import { allow, allowKey } from "../reusable/grants.ts";
import type { KafkaCluster } from "./kafka-cluster.ts";
import { MillraceFunction, type MillraceFunctionProps } from "./millrace-function.ts";
import type { MillraceStack } from "./millrace-stack.ts";
import { runtimePolicy } from "./runtime-policies.ts";

export interface KafkaConsumerProps {
  readonly name: FunctionName;
  readonly description: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly cluster: KafkaCluster;
  readonly key: kms.IKey;
  readonly network?: MillraceFunctionProps["network"];
  readonly reservedConcurrency?: MillraceFunctionProps["reservedConcurrency"];
}

/**
 * A function that Lambda invokes with the records of its Kafka topics, as `domain/event-source-mappings.ts` maps them.
 * A batch that fails is tried again from the first record that failed, then halved. The offsets of records that still
 * fail go to a queue, and the function continues with the next ones.
 */
export class KafkaConsumer extends Construct implements iam.IGrantable {
  readonly function: MillraceFunction;
  /** Offsets of the records that the function could not handle, and records that it sends there itself. */
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
      ...(props.reservedConcurrency === undefined ? {} : { reservedConcurrency: props.reservedConcurrency }),
    });
    this.failures = new FailureQueue(this, "Failures", {
      queueName: resourceName(stack.config, `${props.name}-failures`),
      key: props.key,
    });
    allow(this.function.role, ["sqs:SendMessage"], [this.failures.queueArn]);
    allowKey(this.function, props.key, "sqs", ["Decrypt", "GenerateDataKey"]);
    for (const mapping of existingWhere(eventSourceMappings, runningPipelineNames(stack.config)))
      if (mapping.functionName === props.name) this.#listen(stack, mapping, props.cluster);
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
    this.function.role.addManagedPolicy(runtimePolicy(stack, "polling"));
    const mapping = new lambda.EventSourceMapping(this, `From-${topic}`, {
      target: this.function.function,
      eventSourceArn: cluster.arn,
      kafkaTopic: topic,
      kafkaConsumerGroupId: consumerGroup,
      startingPosition: lambda.StartingPosition.TRIM_HORIZON,
      batchSize,
      // The setting takes whole seconds. Left out, it is the service's default: half a second.
      ...(batchingWindowMs >= SECOND ? { maxBatchingWindow: Duration.millis(batchingWindowMs) } : {}),
      reportBatchItemFailures: true,
      bisectBatchOnError,
      retryAttempts: maximumRetryAttempts,
      ...(maximumRecordAgeMs > 0 ? { maxRecordAge: Duration.millis(maximumRecordAgeMs) } : {}),
      // Kafka mappings have retries, halving and partial answers in provisioned mode only. Its pollers share one group.
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
