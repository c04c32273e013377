import { ANY, type AllowedWildcard } from "./allowed-wildcard.ts";

const stacks = ["access"];

/** Roles of people and of the pipeline. */
export const accessWildcards: readonly AllowedWildcard[] = [
  {
    stacks,
    actions: ["cloudformation:DescribeStacks"],
    resource: /:stack\/millrace-[a-z]+-\*$/,
    reason: "deployer: a stack's ARN ends in an id that CloudFormation makes up",
  },
  {
    stacks,
    actions: ["iot:Connect", "iot:Publish"],
    resource: /:client\/smoke-\*$|:topic\/[a-z]+\/imu\/smoke-\*$/,
    reason: "deployer: the smoke test makes up a sensor",
  },
  {
    stacks,
    actions: [
      "cloudwatch:DescribeAlarms",
      "cloudwatch:GetMetricData",
      "cloudwatch:ListMetrics",
      "logs:DescribeLogGroups",
      "logs:GetQueryResults",
    ],
    resource: ANY,
    reason: "on-call: the actions take no resource, or list what there is",
  },
  {
    stacks,
    actions: ["logs:FilterLogEvents", "logs:GetLogEvents", "logs:StartQuery"],
    resource: /:log-group:\/millrace\/[a-z]+\/\*$/,
    reason: "on-call: every log of the environment",
  },
  {
    stacks,
    actions: ["ecs:DescribeServices", "ecs:UpdateService"],
    resource: /:service\/millrace-[a-z]+-cluster\/\*$/,
    reason: "on-call: every service of the environment",
  },
  {
    stacks,
    actions: [
      "sqs:DeleteMessage",
      "sqs:GetQueueAttributes",
      "sqs:ListMessageMoveTasks",
      "sqs:ReceiveMessage",
      "sqs:SendMessage",
      "sqs:StartMessageMoveTask",
    ],
    resource: /:sqs:.+:millrace-[a-z]+-\*$/,
    reason: "on-call: every queue of the environment",
  },
  {
    stacks,
    actions: ["glue:GetDatabase", "glue:GetPartitions", "glue:GetTable", "glue:GetTables"],
    resource: /:table\/millrace_[a-z]+\/\*$/,
    reason: "analyst: every table of the environment's lake",
  },
  {
    stacks,
    actions: ["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"],
    resource: /\/(tables|query-results)\/\*$/,
    reason: "analyst: reads every row, and writes the results of its queries",
  },
];
