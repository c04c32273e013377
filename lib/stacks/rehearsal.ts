import { aws_iam as iam, CfnOutput, Duration } from "aws-cdk-lib";
import type { Construct } from "constructs";
import type { Environment } from "../../config/schema.ts";
import { letDeploy, workflowsOf } from "../constructs/deploying.ts";
import { MillraceStack } from "../constructs/millrace-stack.ts";
import { resourceName } from "../names.ts";
import { acknowledgeWildcards } from "../reusable/acknowledge.ts";
import { allow } from "../reusable/grants.ts";
import { serviceRoles } from "../service-roles.ts";

/**
 * The role of the rehearsal: it deploys an environment to an empty account, tries it, and deletes it. It is there
 * before and after, so it is in a stack of an app of its own, which an administrator deploys once.
 */
export class RehearsalStack extends MillraceStack {
  constructor(scope: Construct, id: string, config: Environment) {
    super(scope, id, { config, stateful: false, description: "role that rehearses a deployment" });
    const { repository } = config.deployer;
    const role = new iam.Role(this, "Role", {
      roleName: resourceName(config, "rehearsal"),
      description: "deploys the environment to an empty account, tries it and deletes it",
      assumedBy:
        repository === null
          ? new iam.AccountPrincipal(this.account)
          : workflowsOf(this, repository, "environment:sandbox"),
      // Forty minutes there, as many back.
      maxSessionDuration: Duration.hours(4),
    });
    letDeploy(role, this, config);
    // What preflight reads.
    allow(
      role,
      [
        "cloudformation:DescribeStacks",
        "dynamodb:ListTables",
        "ec2:DescribeAddresses",
        "ec2:DescribeAvailabilityZones",
        "ec2:DescribeVpcs",
        "events:ListEventBuses",
        "iot:GetV2LoggingOptions",
        "lambda:GetAccountSettings",
        "s3:ListAllMyBuckets",
        "sagemaker:ListFeatureGroups",
        "servicequotas:GetServiceQuota",
      ],
      ["*"],
    );
    allow(
      role,
      ["iam:GetRole"],
      Object.values(serviceRoles).map(
        ({ service, roleName }) =>
          `arn:${this.partition}:iam::${this.account}:role/aws-service-role/${service}/${roleName}`,
      ),
    );
    allow(role, ["apigateway:GET"], [`arn:${this.partition}:apigateway:${this.region}::/*`]);
    acknowledgeWildcards(role, {
      "*": "preflight lists what the account has: lists take no resource",
      "::/*": "preflight reads the log role of API Gateway's account, which IAM's list has no resource for",
    });
    new CfnOutput(this, "Arn", { value: role.roleArn, description: "role that rehearses a deployment" });
  }
}
