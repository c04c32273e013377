import { ANY, type AllowedWildcard } from "./allowed-wildcard.ts";

const stacks = ["access"];
/** The rehearsal's role deploys and tries as the deployer does. */
const deploying = ["access", "rehearsal"];

/** Roles of people and of the pipeline. */
export const accessWildcards: readonly AllowedWildcard[] = [
  {
    stacks: ["access"],
    actions: ["execute-api:Invoke"],
    resource: /:<[^>]*millrace-[a-z]+-operators:[^>]+>\/v1\/\*\/\*$/,
    reason: "who is on call calls every route of the operators' API, and no other API",
  },
  {
    stacks: ["operators"],
    actions: ["execute-api:Invoke"],
    resource: /^execute-api:\/\*$/,
    reason: "policy of the operators' API: every route of this API, to roles whose own policies allow it",
  },
  {
    stacks: deploying,
    actions: ["cloudformation:DescribeStacks"],
    resource: /:stack\/millrace-[a-z]+-\*$/,
    reason: "deployer: a stack's ARN ends in an id that CloudFormation makes up",
  },
  {
    stacks,
    actions: ["cloudformation:DescribeStacks"],
    resource: /:stack\/millrace-[a-z]+-lake\/\*$/,
    reason: "on-call: the lake's stack, whose ARN ends in an id that CloudFormation makes up",
  },
  {
    stacks,
    actions: ["iot:DeleteThing", "iot:ListThingPrincipals"],
    resource: /:thing\/smoke-\*$/,
    reason: "smoke test: it makes up a device, and takes it away again",
  },
  {
    stacks,
    actions: ["iot:DeleteCertificate", "iot:DetachThingPrincipal", "iot:UpdateCertificate"],
    resource: /:cert\/\*$/,
    reason: "smoke test: the id of its device's certificate is made up when the device gets it",
  },
  {
    stacks,
    actions: [
      "cognito-idp:AdminCreateUser",
      "cognito-idp:AdminDeleteUser",
      "cognito-idp:AdminInitiateAuth",
      "cognito-idp:AdminSetUserPassword",
    ],
    resource: /:userpool\/\*$/,
    reason: "smoke test: it signs in as a user of its own, in the pool with the environment's tags",
  },
  {
    stacks,
    actions: [
      "application-autoscaling:RegisterScalableTarget",
      "cloudwatch:DescribeAlarms",
      "cloudwatch:GetMetricData",
      "cloudwatch:GetMetricStatistics",
      "cloudwatch:ListMetrics",
      "ecs:DescribeTaskDefinition",
      "ecs:ListTasks",
      "events:ListArchives",
      "firehose:ListDeliveryStreams",
      "health:DescribeEvents",
      "iot:UpdateCertificate",
      "kafka:ListClustersV2",
      "lambda:ListEventSourceMappings",
      "logs:DescribeLogGroups",
      "logs:GetQueryResults",
      "rds:DescribeDBClusters",
      "sqs:ListQueues",
    ],
    resource: ANY,
    reason:
      "on-call: lists take no resource; a certificate, a scalable target and the database's cluster have ids that " +
      "are made later",
  },
  {
    stacks: ["access", "operators"],
    actions: ["ecs:RunTask"],
    resource: /:task-definition\/millrace-[a-z]+-ops:\*$/,
    reason: "on-call: every revision of the task that runs an operator's command",
  },
  {
    stacks,
    actions: ["logs:FilterLogEvents", "logs:GetLogEvents", "logs:StartQuery"],
    resource: /:log-group:\/millrace\/[a-z]+\/\*$/,
    reason: "on-call: every log of the environment",
  },
  {
    stacks,
    actions: ["ecs:DescribeServices", "ecs:DescribeTasks", "ecs:StopTask", "ecs:UpdateService"],
    resource: /:(service|task)\/millrace-[a-z]+-cluster\/\*$/,
    reason: "on-call: every service and task of the environment",
  },
  {
    stacks,
    actions: [
      "sqs:DeleteMessage",
      "sqs:GetQueueAttributes",
      "sqs:GetQueueUrl",
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
  {
    stacks: ["rehearsal"],
    actions: [
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
    resource: ANY,
    reason: "rehearsal: preflight lists what the account has, and lists take no resource",
  },
  {
    stacks: ["rehearsal"],
    actions: ["apigateway:GET"],
    resource: /:apigateway:[^:]+::\/\*$/,
    reason: "rehearsal: preflight reads API Gateway's account, which IAM's list has no resource for",
  },
  {
    stacks: ["monitoring"],
    actions: ["sts:AssumeRole"],
    resource: ANY,
    reason: "the budget's policy denies it",
  },
];
