import type { aws_kms as kms, aws_logs as logs } from "aws-cdk-lib";
import type { Construct } from "constructs";
import type { Environment } from "../../config/schema.ts";
import { logGroupName } from "../names.ts";
import { EncryptedLogs } from "../reusable/encrypted-logs.ts";

export interface LogGroupProps {
  readonly config: Environment;
  /** Name after the environment's prefix: `service/live`. */
  readonly name: string;
  readonly key: kms.IKey;
}

/** An encrypted log group that keeps its lines as long as the config says. */
export function logGroup(scope: Construct, id: string, { config, name, key }: LogGroupProps): logs.LogGroup {
  return new EncryptedLogs(scope, id, {
    logGroupName: logGroupName(config, name),
    key,
    retention: config.logRetentionDays,
  });
}
