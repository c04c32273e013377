import {
  aws_iam as iam,
  type aws_kms as kms,
  type aws_logs as logs,
  custom_resources as cr,
  Duration,
} from "aws-cdk-lib";
import { acknowledgeWildcards } from "../reusable/acknowledge.ts";
import { logGroup } from "./log-group.ts";
import type { MillraceStack } from "./millrace-stack.ts";

export interface IotCall {
  readonly id: string;
  /** `Custom::…` */
  readonly resourceType: string;
  /** The IAM action that the call takes. */
  readonly permission: string;
  readonly call: cr.AwsSdkCall;
}

/**
 * A custom resource that makes one call of an IoT API. For APIs that have neither a CloudFormation resource nor an ARN
 * to limit the permission to.
 */
export function callIot(
  stack: MillraceStack,
  key: kms.IKey,
  { id, resourceType, permission, call }: IotCall,
): cr.AwsCustomResource {
  const resource = new cr.AwsCustomResource(stack, id, {
    onCreate: call,
    onUpdate: call,
    logGroup: sharedLogGroup(stack, key),
    installLatestAwsSdk: false,
    resourceType,
    timeout: Duration.minutes(2),
    policy: cr.AwsCustomResourcePolicy.fromStatements([
      new iam.PolicyStatement({ actions: [permission], resources: ["*"] }),
    ]),
  });
  acknowledgeWildcards(resource, { "*": `${permission} takes no resource` });
  return resource;
}

/** One function of the CDK makes all such calls of a stack, so they share a log group. */
function sharedLogGroup(stack: MillraceStack, key: kms.IKey): logs.ILogGroup {
  const existing = stack.node.tryFindChild("LookupLogs") as logs.LogGroup | undefined;
  return existing ?? logGroup(stack, "LookupLogs", { config: stack.config, name: "function/iot-lookups", key });
}
