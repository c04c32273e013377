import {
  type aws_iam as iam,
  type aws_kms as kms,
  aws_lambda as lambda,
  type aws_sqs as sqs,
  Duration,
} from "aws-cdk-lib";
import { Construct } from "constructs";
import type { EventSourceMapping } from "../../domain/event-source-mappings.ts";
import { SECOND } from "../../domain/time.ts";
import { FailureQueue } from "../reusable/failure-queue.ts";
import { allow, allowKey } from "../reusable/grants.ts";
import type { NodeFunction } from "../reusable/node-function.ts";
import type { KafkaCluster } from "./kafka-cluster.ts";

export interface KafkaConsumerProps {
  readonly handler: NodeFunction;
  readonly cluster: KafkaCluster;
  /** The topics that it reads. */
  readonly mappings: readonly EventSourceMapping[];
  /** Group of the pollers, which mappings can share. */
  readonly pollerGroupName: string;
  /** Lets pollers make network interfaces in the cluster's subnets: these rights take no resource. */
  readonly pollingPolicy: iam.IManagedPolicy;
  readonly failureQueueName: string;
  /** Key of the queue. */
  readonly key: kms.IKey;
}

/**
 * A function that Lambda invokes with the records of its Kafka topics. A batch that fails is tried again from the first
 * record that failed, then halved. The offsets of records that still fail go to a queue, and the function continues
 * with the next ones.
 */
export class KafkaConsumer extends Construct implements iam.IGrantable {
  readonly function: NodeFunction;
  /** Offsets of the records that the function could not handle, and records that it sends there itself. */
  readonly failures: sqs.Queue;

  constructor(scope: Construct, id: string, props: KafkaConsumerProps) {
    super(scope, id);
    this.function = props.handler;
    this.failures = new FailureQueue(this, "Failures", { queueName: props.failureQueueName, key: props.key });
    allow(this.function.role, ["sqs:SendMessage"], [this.failures.queueArn]);
    allowKey(this.function, props.key, "sqs", ["Decrypt", "GenerateDataKey"]);
    for (const mapping of props.mappings) this.#listen(mapping, props);
  }

  get grantPrincipal(): iam.IPrincipal {
    return this.function.role;
  }

  #listen(
    {
      topic,
      consumerGroup,
      batchSize,
      batchingWindowMs,
      maximumRetryAttempts,
      maximumRecordAgeMs,
      bisectBatchOnError,
    }: EventSourceMapping,
    { cluster, pollerGroupName, pollingPolicy }: KafkaConsumerProps,
  ): void {
    cluster.grantPoll(this.function, topic, consumerGroup);
    this.function.role.addManagedPolicy(pollingPolicy);
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
      // Kafka mappings have retries, halving and partial answers in provisioned mode only.
      provisionedPollerConfig: {
        minimumPollers: 1,
        maximumPollers: 10,
        pollerGroupName,
      },
      onFailure: { bind: () => ({ destination: this.failures.queueArn }) },
    });
    mapping.node.addDependency(this.function.role);
  }
}
