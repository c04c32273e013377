import { ANY, OBJECTS_OF_A_BUCKET, type AllowedWildcard } from "./allowed-wildcard.ts";

/** Roles of the functions and services. */
export const programWildcards: readonly AllowedWildcard[] = [
  {
    actions: ["xray:PutTraceSegments", "xray:PutTelemetryRecords", ...networkInterfaceActions()],
    resource: ANY,
    reason: "X-Ray's actions take no resource; EC2's take none before the function's network interface exists",
  },
  {
    stacks: ["operators"],
    actions: ["cloudwatch:DescribeAlarms", "cloudwatch:GetMetricData"],
    resource: ANY,
    reason: "CloudWatch's lists of alarms and metrics take no resource",
  },
  { actions: ["ecr:GetAuthorizationToken"], resource: ANY, reason: "the action takes no resource" },
  {
    stacks: ["processing", "operations"],
    actions: ["kafka-cluster:DescribeTransactionalId", "kafka-cluster:AlterTransactionalId"],
    resource: /\/millrace\.[a-z]+\.(sensor\.imu-data-all|market\.market-trades)\.\*$/,
    reason: "the transactional ids of one pipeline end in a partition number",
  },
  {
    stacks: ["processing", "operations", "operators"],
    actions: ["s3:GetObject"],
    resource: /^<[^>]*Models[^>]*>\/\*$/,
    reason: "models are read by their names, from a bucket that holds nothing else",
  },
  {
    stacks: ["operations"],
    actions: ["s3:PutObject"],
    resource: /^<[^>]*Models[^>]*>\/models\/\*$/,
    reason: "models are written by their names, in a bucket that holds nothing else",
  },
  {
    stacks: ["operations"],
    actions: ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"],
    resource: /^<[^>]+>\/tables\/\*$/,
    reason:
      "Firehose names the objects of the lake's tables; commands read them, erase and compact write and delete them",
  },
  {
    stacks: ["operations"],
    actions: ["glue:GetDatabase", "glue:GetTable", "glue:GetPartitions", "glue:UpdateTable"],
    resource: /:table\/sagemaker_featurestore\/millrace_[a-z]+_\*$/,
    reason: "Feature Store ends the name of an offline store's table with the time when it makes it",
  },
  {
    stacks: ["operations"],
    actions: ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"],
    resource: /^<[^>]+>\/features\/\*$/,
    reason: "erase deletes rows of the offline store: Athena adds objects with the caller's rights, and names them",
  },
  {
    stacks: ["serving"],
    actions: ["execute-api:ManageConnections"],
    resource: /\/v1\/(POST|DELETE)\/@connections\/\*$/,
    reason: "API Gateway makes up the ids of connections",
  },
  {
    stacks: ["web"],
    actions: ["s3:GetObject", "s3:ListBucket"],
    resource: OBJECTS_OF_A_BUCKET,
    reason: "bucket policy: CloudFront, of this one distribution, reads every file, and knows what is none",
  },
];

/** What Lambda does with the role of a function in the VPC, or of one that an event source mapping calls. */
function networkInterfaceActions(): string[] {
  return [
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:DescribeVpcs",
    "ec2:DescribeSecurityGroups",
    "ec2:AssignPrivateIpAddresses",
    "ec2:UnassignPrivateIpAddresses",
  ];
}
