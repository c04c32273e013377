import { type aws_kms as kms, aws_sqs as sqs, Duration, RemovalPolicy } from "aws-cdk-lib";
import type { Construct } from "constructs";
import { acknowledge } from "./acknowledge.ts";

/** SQS's longest. Kafka keeps most records for a week: the queue outlives what it points to. */
const RETENTION = Duration.days(14);

/** An encrypted queue for what a function or a rule could not handle; an alarm watches it. */
export function failureQueue(
  scope: Construct,
  id: string,
  { queueName, key }: { readonly queueName: string; readonly key: kms.IKey },
): sqs.Queue {
  const queue = new sqs.Queue(scope, id, {
    queueName,
    encryption: sqs.QueueEncryption.KMS,
    encryptionMasterKey: key,
    enforceSSL: true,
    retentionPeriod: RETENTION,
    removalPolicy: RemovalPolicy.DESTROY,
  });
  acknowledge(queue, { SQS3: "it is itself where failures go; an alarm watches it" });
  return queue;
}
