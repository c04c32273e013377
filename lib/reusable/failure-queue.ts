import { type aws_kms as kms, aws_sqs as sqs, Duration, RemovalPolicy } from "aws-cdk-lib";
import type { Construct } from "constructs";
import { acknowledge } from "./acknowledge.ts";

/** SQS's longest. */
const LONGEST_RETENTION = Duration.days(14);

export interface FailureQueueProps {
  readonly queueName: string;
  readonly key: kms.IKey;
  /**
   * How long what failed waits for somebody. It should outlive what a message points to.
   *
   * @default 14 days, SQS's longest
   */
  readonly retention?: Duration;
}

/** An encrypted queue for what a function or a rule could not handle. Set an alarm on it. */
export class FailureQueue extends sqs.Queue {
  constructor(scope: Construct, id: string, props: FailureQueueProps) {
    super(scope, id, {
      queueName: props.queueName,
      encryption: sqs.QueueEncryption.KMS,
      encryptionMasterKey: props.key,
      enforceSSL: true,
      retentionPeriod: props.retention ?? LONGEST_RETENTION,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    acknowledge(this, { SQS3: "it is itself where failures go; an alarm watches it" });
  }
}
