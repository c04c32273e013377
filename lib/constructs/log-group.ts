import type { aws_kms as kms, aws_logs as logs } from "aws-cdk-lib";
import type { Construct } from "constructs";
import type { Environment } from "../../config/schema.ts";
import { logGroupName } from "../names.ts";
import { EncryptedLogs, type EncryptedLogsProps } from "../reusable/encrypted-logs.ts";

export interface LogGroupProps {
  readonly config: Environment;
  /** Name after the environment's prefix: `service/live`. */
  readonly name: string;
  readonly key: kms.IKey;
}

/** What a log group of an environment is made with. */
export function logGroupProps({ config, name, key }: LogGroupProps): EncryptedLogsProps {
  return { logGroupName: logGroupName(config, name), key, retention: config.logRetentionDays };
}

/** An encrypted log group that keeps its lines as long as the config says. */
export function logGroup(scope: Construct, id: string, props: LogGroupProps): logs.ILogGroup {
  return new EncryptedLogs(scope, id, logGroupProps(props));
}
