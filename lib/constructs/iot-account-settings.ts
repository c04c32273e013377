import { ArnFormat, aws_iam as iam, aws_iot as iot, type aws_kms as kms, custom_resources as cr } from "aws-cdk-lib";
import { acknowledgeWildcards } from "../reusable/acknowledge.ts";
import { allow } from "../reusable/grants.ts";
import { callIot } from "./iot-call.ts";
import type { MillraceStack } from "./millrace-stack.ts";

/**
 * Settings of IoT Core that exist once in an account and region: its log, and the search for things.
 *
 * @returns The log's, without which no other setting of logs is taken
 */
export function ownAccountSettings(stack: MillraceStack, key: kms.IKey): iot.CfnLogging {
  const role = new iam.Role(stack, "LoggingRole", {
    assumedBy: new iam.ServicePrincipal("iot.amazonaws.com", {
      conditions: { StringEquals: { "aws:SourceAccount": stack.account } },
    }),
    description: "IoT Core's own log",
  });
  const logGroups = stack.formatArn({
    service: "logs",
    resource: "log-group",
    resourceName: "AWSIotLogsV2:*",
    arnFormat: ArnFormat.COLON_RESOURCE_NAME,
  });
  allow(
    role,
    ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents", "logs:PutRetentionPolicy"],
    [logGroups],
  );
  acknowledgeWildcards(role, { ":AWSIotLogsV2:*": "IoT Core names its log group and streams itself" });
  const logging = new iot.CfnLogging(stack, "Logging", {
    accountId: stack.account,
    defaultLogLevel: "ERROR",
    roleArn: role.roleArn,
  });
  logging.node.addDependency(role);
  callIot(stack, key, {
    id: "FleetIndexing",
    resourceType: "Custom::IotFleetIndexing",
    permission: "iot:UpdateIndexingConfiguration",
    call: {
      service: "Iot",
      action: "updateIndexingConfiguration",
      parameters: {
        thingIndexingConfiguration: { thingIndexingMode: "REGISTRY", thingConnectivityIndexingMode: "STATUS" },
        thingGroupIndexingConfiguration: { thingGroupIndexingMode: "ON" },
      },
      physicalResourceId: cr.PhysicalResourceId.of("iot-fleet-indexing"),
    },
  });
  return logging;
}
