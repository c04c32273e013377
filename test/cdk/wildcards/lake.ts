import { OBJECTS_OF_A_BUCKET, type AllowedWildcard } from "./allowed-wildcard.ts";

const stacks = ["lake"];

/** What writes the lake, and what replicates it. */
export const lakeWildcards: readonly AllowedWildcard[] = [
  {
    stacks,
    actions: ["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"],
    resource: /^<[^>]+>\/(tables|errors)\/[a-z_]+\/\*$/,
    reason: "Firehose names its objects below the table's prefix itself",
  },
  {
    stacks,
    actions: ["s3:PutObject", "s3:PutObjectAcl", "s3:GetObject"],
    resource: /^<[^>]+>\/features\/\*$/,
    reason: "Feature Store names its objects itself",
  },
  {
    stacks,
    actions: ["glue:GetTable", "glue:UpdateTable"],
    resource: /:table\/sagemaker_featurestore\/millrace_[a-z]+_\*$/,
    reason: "Feature Store ends the name of an offline store's table with the time when it makes it",
  },
  {
    stacks: ["features"],
    actions: ["glue:GetDatabase", "glue:GetTable", "glue:GetPartitions"],
    resource: /:table\/sagemaker_featurestore\/millrace_[a-z]+_\*$/,
    reason: "Feature Store ends the name of an offline store's table with the time when it makes it",
  },
  {
    stacks: ["features"],
    actions: ["s3:GetObject"],
    resource: /^<[^>]+>\/features\/\*$/,
    reason: "Athena reads the objects of the table with the caller's rights",
  },
  {
    stacks: ["features", "operations"],
    actions: ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"],
    resource: /^<[^>]+>\/query-results\/\*$/,
    reason: "Athena names the objects of results, and writes and reads them with the caller's rights",
  },
  {
    stacks,
    actions: ["s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl", "s3:GetObjectVersionTagging"],
    resource: OBJECTS_OF_A_BUCKET,
    reason: "replication reads every object of the lake",
  },
  {
    stacks,
    actions: ["s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags"],
    resource: /^arn:aws:s3:::[^*]+\/\*$/,
    reason: "replication writes every object to the one bucket of the config",
  },
];
