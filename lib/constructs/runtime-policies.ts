import { aws_iam as iam } from "aws-cdk-lib";
import type { Environment } from "../../config/schema.ts";
import { resourceName } from "../names.ts";
import { acknowledgeWildcards } from "../reusable/acknowledge.ts";
import type { MillraceStack } from "./millrace-stack.ts";

/**
 * Rights that many functions need and that take no resource. Each set is one policy of the environment, so that a right
 * to everything stands in three places and not in every role.
 */
const runtimePolicies = {
  tracing: {
    what: "what a traced function sends to X-Ray",
    actions: ["xray:PutTraceSegments", "xray:PutTelemetryRecords"],
    why: "X-Ray's actions take no resource",
  },
  "network-interfaces": {
    what: "how Lambda attaches a function to the VPC",
    actions: [
      "ec2:CreateNetworkInterface",
      "ec2:DeleteNetworkInterface",
      "ec2:DescribeNetworkInterfaces",
      "ec2:DescribeSubnets",
      "ec2:AssignPrivateIpAddresses",
      "ec2:UnassignPrivateIpAddresses",
    ],
    why: "Lambda makes network interfaces with the function's role; most of these actions take no resource",
  },
  // What AWSLambdaMSKExecutionRole has of EC2.
  polling: {
    what: "how the pollers of a Kafka event source mapping reach the cluster",
    actions: [
      "ec2:CreateNetworkInterface",
      "ec2:DeleteNetworkInterface",
      "ec2:DescribeNetworkInterfaces",
      "ec2:DescribeVpcs",
      "ec2:DescribeSubnets",
      "ec2:DescribeSecurityGroups",
    ],
    why: "pollers make network interfaces in the cluster's subnets; most of these actions take no resource",
  },
} as const;
type RuntimePolicy = keyof typeof runtimePolicies;

const nameOf = (config: Environment, policy: RuntimePolicy): string => resourceName(config, `function-${policy}`);

/** Makes the policies, in the stack that all others are deployed after. */
export function makeRuntimePolicies(stack: MillraceStack): void {
  for (const [policy, { what, actions, why }] of Object.entries(runtimePolicies)) {
    const made = new iam.ManagedPolicy(stack, `Policy-${policy}`, {
      managedPolicyName: nameOf(stack.config, policy as RuntimePolicy),
      description: `Millrace ${stack.config.name}: ${what}`,
    });
    made.addStatements(new iam.PolicyStatement({ actions: [...actions], resources: ["*"] }));
    acknowledgeWildcards(made, { "*": why });
  }
}

/** A policy of the environment, by its name. A stack refers to each once. */
export function runtimePolicy(stack: MillraceStack, policy: RuntimePolicy): iam.IManagedPolicy {
  const id = `Shared-${policy}`;
  const known = stack.node.tryFindChild(id) as iam.IManagedPolicy | undefined;
  return known ?? iam.ManagedPolicy.fromManagedPolicyName(stack, id, nameOf(stack.config, policy));
}
