import { aws_iam as iam, aws_iot as iot, type aws_kms as kms, type aws_sqs as sqs } from "aws-cdk-lib";
import { acknowledgeWildcards } from "../reusable/acknowledge.ts";
import { allow } from "../reusable/grants.ts";
import { logGroup } from "./log-group.ts";
import type { MillraceStack } from "./millrace-stack.ts";

/** Writes a log line for each connect and disconnect of a device; what can't be written goes to the queue. */
export function logPresence(stack: MillraceStack, failures: sqs.Queue, key: kms.IKey): void {
  const log = logGroup(stack, "PresenceLogs", { config: stack.config, name: "iot/presence", key });
  const role = new iam.Role(stack, "RuleRole", {
    assumedBy: new iam.ServicePrincipal("iot.amazonaws.com", {
      conditions: { StringEquals: { "aws:SourceAccount": stack.account } },
    }),
    description: "what IoT rules may write",
  });
  allow(
    role,
    ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
    [log.logGroupArn, `${log.logGroupArn}:log-stream:*`],
  );
  allow(role, ["sqs:SendMessage"], [failures.queueArn]);
  allow(role, ["kms:Decrypt", "kms:GenerateDataKey"], [key.keyArn]);
  acknowledgeWildcards(role, { ":log-stream:*": "IoT Core names its log streams itself, within the one log group" });
  for (const event of ["connected", "disconnected"] as const) {
    const rule = new iot.CfnTopicRule(stack, `Rule-${event}`, {
      ruleName: `millrace_${stack.config.name}_${event}`,
      topicRulePayload: {
        description: `devices that ${event}`,
        sql:
          "SELECT eventType, clientId, timestamp, disconnectReason, ipAddress " +
          `FROM '$aws/events/presence/${event}/+'`,
        awsIotSqlVersion: "2016-03-23",
        ruleDisabled: false,
        actions: [{ cloudwatchLogs: { logGroupName: log.logGroupName, roleArn: role.roleArn } }],
        errorAction: { sqs: { queueUrl: failures.queueUrl, roleArn: role.roleArn, useBase64: false } },
      },
    });
    rule.node.addDependency(role);
  }
}
