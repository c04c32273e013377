/**
 * Every wildcard that a policy of the stacks may have, with its reason. A new one has to be written down here. Actions
 * and resources are as in the template, references replaced by `<…>`.
 */
export interface AllowedWildcard {
  /** Stacks that it may stand in. */
  readonly stacks: readonly string[];
  /** Actions of the statement, all of which must be among these. */
  readonly actions: readonly string[];
  /** The resource with the wildcard; absent: the wildcard is in the action. */
  readonly resource?: RegExp;
  readonly reason: string;
}

const anyStack = [
  "security",
  "network",
  "streaming",
  "state",
  "lake",
  "processing",
  "ingestion",
  "delivery",
  "features",
  "serving",
  "web",
  "monitoring",
];

export const allowedWildcards: readonly AllowedWildcard[] = [
  {
    stacks: anyStack,
    actions: ["kms:*"],
    resource: /^\*$/,
    reason:
      "key policy: the account's own administrators, by its IAM policies; a key policy's resource is always its own key",
  },
  {
    stacks: ["security"],
    actions: [
      "kms:Encrypt",
      "kms:Decrypt",
      "kms:ReEncryptFrom",
      "kms:ReEncryptTo",
      "kms:GenerateDataKey",
      "kms:DescribeKey",
    ],
    resource: /^\*$/,
    reason:
      "key policy: its resource is always its own key; each statement names its service and is bound to this account",
  },
  {
    stacks: ["security"],
    actions: [
      "kms:Encrypt",
      "kms:Decrypt",
      "kms:ReEncrypt*",
      "kms:GenerateDataKey*",
      "kms:DescribeKey",
      "kms:CreateGrant",
    ],
    resource: /^\*$/,
    reason: "key policy written by the CDK, for a service within this account",
  },
  {
    stacks: anyStack,
    actions: [
      "xray:PutTraceSegments",
      "xray:PutTelemetryRecords",
      "ec2:CreateNetworkInterface",
      "ec2:DeleteNetworkInterface",
      "ec2:DescribeNetworkInterfaces",
      "ec2:DescribeSubnets",
      "ec2:AssignPrivateIpAddresses",
      "ec2:UnassignPrivateIpAddresses",
    ],
    resource: /^\*$/,
    reason:
      "these actions take no resource (X-Ray), or none before the interface exists (EC2, for functions in the VPC)",
  },
  { stacks: anyStack, actions: ["ecr:GetAuthorizationToken"], resource: /^\*$/, reason: "takes no resource" },
  { stacks: ["ingestion"], actions: ["iot:DescribeEndpoint"], resource: /^\*$/, reason: "takes no resource" },
  {
    stacks: ["ingestion"],
    actions: ["iot:UpdateIndexingConfiguration"],
    resource: /^\*$/,
    reason: "takes no resource",
  },
  {
    stacks: ["streaming"],
    actions: ["lambda:InvokeFunction"],
    resource: /^<[^>]+>:\*$/,
    reason: "the CDK's provider invokes any version of the one function that it is made for",
  },
  {
    stacks: ["processing", "ingestion", "serving"],
    actions: ["kafka-cluster:DescribeTransactionalId", "kafka-cluster:AlterTransactionalId"],
    resource: /\/millrace\.[a-z]+\.sensor\.imu-data-all\.\*$/,
    reason: "the transactional ids of one pipeline end in a partition number",
  },
  {
    stacks: ["processing"],
    actions: ["s3:GetObject"],
    resource: /^<[^>]*Models[^>]*>\/\*$/,
    reason: "models are read by their names, in a bucket that holds nothing else",
  },
  {
    stacks: ["ingestion"],
    actions: [
      "iot:CreateThing",
      "iot:DescribeThing",
      "iot:UpdateThing",
      "iot:ListThingPrincipals",
      "iot:AttachThingPrincipal",
      "iot:AddThingToThingGroup",
    ],
    resource: /:thing\/\*$/,
    reason: "a device's thing has no name before it provisions itself",
  },
  {
    stacks: ["ingestion"],
    actions: [
      "iot:DescribeCertificate",
      "iot:UpdateCertificate",
      "iot:AttachPolicy",
      "iot:AttachThingPrincipal",
      "iot:ListPrincipalThings",
    ],
    resource: /:cert\/\*$/,
    reason: "a certificate's id is made up when the device gets it",
  },
  {
    stacks: ["ingestion"],
    actions: ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents", "logs:PutRetentionPolicy"],
    resource: /:log-group:AWSIotLogsV2:\*$/,
    reason: "IoT Core names its log group and streams itself",
  },
  {
    stacks: ["ingestion"],
    actions: ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
    resource: /^<[^>]+>:log-stream:\*$/,
    reason: "IoT Core names its log streams itself, within one log group",
  },
  {
    stacks: ["ingestion"],
    actions: ["iot:Connect"],
    resource: /:client\/millrace-[a-z]+-bridge-\d+-\*$/,
    reason: "the bridge's client ids end in the number of the connection",
  },
  {
    stacks: ["ingestion"],
    actions: ["iot:Receive"],
    resource: /:topic\/imu\/\*$/,
    reason: "the bridge receives from every sensor's topic: that is what it is for",
  },
  {
    stacks: ["ingestion"],
    actions: ["iot:Connect"],
    resource: /:client\/\*$/,
    reason: "claim policy: a device has no name before it provisions itself",
  },
  {
    stacks: ["ingestion"],
    actions: ["iot:Publish", "iot:Receive", "iot:Subscribe"],
    resource:
      /:topic(filter)?\/\$aws\/(certificates\/create(-from-csr)?|provisioning-templates\/millrace-[a-z]+-sensor\/provision)\/\*$/,
    reason: "claim policy: the reserved topics by which a device asks for its certificate, and their answers",
  },
  {
    stacks: ["lake"],
    actions: ["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"],
    resource: /^<[^>]+>\/(tables|errors)\/[a-z]+\/\*$/,
    reason: "Firehose names its objects below the table's prefix itself",
  },
  {
    stacks: ["lake"],
    actions: ["logs:PutLogEvents"],
    resource: /^<[^>]+>:log-stream:\*$/,
    reason: "Firehose names its log streams itself",
  },
  {
    stacks: ["lake"],
    actions: ["s3:PutObject"],
    resource: /^<[^>]+>\/features\/\*$/,
    reason: "Feature Store names its objects itself",
  },
  {
    stacks: ["lake"],
    actions: ["s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl", "s3:GetObjectVersionTagging"],
    resource: /^<[^>]+>\/\*$/,
    reason: "replication reads every object of the lake",
  },
  {
    stacks: ["lake"],
    actions: ["s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags"],
    resource: /^arn:aws:s3:::[^*]+\/\*$/,
    reason: "replication writes every object to the one bucket of the config",
  },
  {
    stacks: ["serving"],
    actions: ["execute-api:ManageConnections"],
    resource: /\/v1\/(POST|DELETE)\/@connections\/\*$/,
    reason: "API Gateway makes up the ids of connections",
  },
  {
    stacks: ["web"],
    actions: [
      "s3:GetObject*",
      "s3:GetBucket*",
      "s3:List*",
      "s3:DeleteObject*",
      "s3:PutObject",
      "s3:PutObjectLegalHold",
      "s3:PutObjectRetention",
      "s3:PutObjectTagging",
      "s3:PutObjectVersionTagging",
      "s3:Abort*",
    ],
    resource: /^<[^>]+>\/\*$|^arn:aws:s3:::<cdk-[a-z0-9]+-assets-[^>]+>\/\*$/,
    reason: "the CDK's own deployment function copies the assets' files to the dashboard's bucket",
  },
  {
    stacks: ["web"],
    actions: [
      "s3:GetObject*",
      "s3:GetBucket*",
      "s3:List*",
      "s3:DeleteObject*",
      "s3:PutObject",
      "s3:PutObjectLegalHold",
      "s3:PutObjectRetention",
      "s3:PutObjectTagging",
      "s3:PutObjectVersionTagging",
      "s3:Abort*",
    ],
    reason: "actions of the CDK's own deployment function, on two buckets",
  },
  {
    stacks: ["web"],
    actions: ["cloudfront:GetInvalidation", "cloudfront:CreateInvalidation"],
    resource: /^\*$/,
    reason: "the CDK's own deployment function; the actions could name the distribution, but the construct does not",
  },
  {
    stacks: ["lake", "state", "web"],
    actions: ["s3:PutBucketPolicy", "s3:GetBucket*", "s3:List*", "s3:DeleteObject*"],
    resource: /^<[^>]+>\/\*$/,
    reason: "bucket policy: the CDK's own function that empties buckets of environments that keep no data",
  },
  {
    stacks: ["lake", "state", "web"],
    actions: ["s3:PutBucketPolicy", "s3:GetBucket*", "s3:List*", "s3:DeleteObject*"],
    reason: "bucket policy: actions of the CDK's own function that empties one bucket",
  },
  {
    stacks: ["lake", "state", "web"],
    actions: ["s3:*"],
    resource: /^<[^>]+>\/\*$/,
    reason: "bucket policy: a denial, of whatever comes without TLS",
  },
  {
    stacks: ["lake", "state", "web"],
    actions: ["s3:*"],
    reason: "bucket policy: a denial, of whatever comes without TLS",
  },
  { stacks: anyStack, actions: ["sqs:*"], reason: "queue policy: a denial, of whatever comes without TLS" },
  {
    stacks: ["lake", "web"],
    actions: ["s3:PutObject"],
    resource: /^<[^>]+>\/((lake|audit|bucket)\/|AWSLogs\/<[^>]+>\/)?\*$/,
    reason: "bucket policy: S3 and CloudTrail name their log files themselves",
  },
  {
    stacks: ["web"],
    actions: ["s3:GetObject"],
    resource: /^<[^>]+>\/\*$/,
    reason: "bucket policy: CloudFront, of this one distribution, reads every file of the dashboard",
  },
];
