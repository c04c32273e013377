import { type aws_kms as kms, aws_logs as logs, RemovalPolicy } from "aws-cdk-lib";
import type { Construct } from "constructs";

export interface EncryptedLogsProps {
  readonly logGroupName: string;
  /** It must let CloudWatch Logs encrypt this log group. */
  readonly key: kms.IKey;
  /** @default one month */
  readonly retention?: logs.RetentionDays;
}

/** A log group that is encrypted, lets its lines go in time, and goes with its stack. */
export class EncryptedLogs extends logs.LogGroup {
  constructor(scope: Construct, id: string, props: EncryptedLogsProps) {
    super(scope, id, {
      logGroupName: props.logGroupName,
      encryptionKey: props.key,
      retention: props.retention ?? logs.RetentionDays.ONE_MONTH,
      removalPolicy: RemovalPolicy.DESTROY,
    });
  }
}
