import { aws_iam as iam, type aws_kms as kms, aws_s3 as s3, Duration } from "aws-cdk-lib";
import type { Environment } from "../../config/schema.ts";
import { acknowledgeWildcards } from "../reusable/acknowledge.ts";
import { allow, allowKey } from "../reusable/grants.ts";
import { dataBucket } from "./data-bucket.ts";
import type { MillraceStack } from "./millrace-stack.ts";

type LakeConfig = Environment["lake"];

/** Rows that Firehose writes, in files that nothing but their partition refers to: archived, and deleted at last. */
const ROWS = "tables/";
/**
 * Iceberg tables of the feature store. Their metadata name each file, so no file may go before a snapshot that has it:
 * they shrink by `VACUUM` or Glue's optimizer, never by a lifecycle rule.
 */
const ICEBERG = "features/";
/** Prefixes with data. Under the others is what can be made again. */
const DATA_PREFIXES = [ROWS, ICEBERG];

/** The bucket of the lake, with its replica in another region where the config names one. */
export function lakeBucket(
  stack: MillraceStack,
  { accessLogs, key }: { readonly accessLogs: s3.IBucket; readonly key: kms.IKey },
): s3.IBucket {
  const { lake } = stack.config;
  const bucket = dataBucket(stack, "lake", {
    encryption: s3.BucketEncryption.KMS,
    encryptionKey: key,
    bucketKeyEnabled: true,
    versioned: true,
    serverAccessLogsBucket: accessLogs,
    serverAccessLogsPrefix: "lake/",
    lifecycleRules: lifecycleRules(lake),
  });
  if (lake.replica !== null) replicate(stack, bucket, lake.replica, key);
  return bucket;
}

function lifecycleRules(lake: LakeConfig): s3.LifecycleRule[] {
  return [
    {
      id: nameOf(ROWS),
      prefix: ROWS,
      ...(lake.glacierAfterDays === null
        ? {}
        : {
            transitions: [
              {
                storageClass: s3.StorageClass.GLACIER_INSTANT_RETRIEVAL,
                transitionAfter: Duration.days(lake.glacierAfterDays),
              },
            ],
          }),
      expiration: Duration.days(lake.expireAfterDays),
    },
    { id: "query-results", prefix: "query-results/", expiration: Duration.days(14) },
    { id: "errors", prefix: "errors/", expiration: Duration.days(90) },
    {
      id: "old-versions",
      noncurrentVersionExpiration: Duration.days(30),
      abortIncompleteMultipartUploadAfter: Duration.days(1),
      expiredObjectDeleteMarker: true,
    },
  ];
}

/** Copies the data to a bucket in another region, where that region's key encrypts it. */
function replicate(
  stack: MillraceStack,
  bucket: s3.IBucket,
  replica: NonNullable<LakeConfig["replica"]>,
  key: kms.IKey,
): void {
  const role = new iam.Role(stack, "ReplicationRole", {
    assumedBy: new iam.ServicePrincipal("s3.amazonaws.com"),
    description: "copies the lake to another region",
  });
  allow(role, ["s3:GetReplicationConfiguration", "s3:ListBucket"], [bucket.bucketArn]);
  allow(
    role,
    ["s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl", "s3:GetObjectVersionTagging"],
    [bucket.arnForObjects("*")],
  );
  allow(role, ["s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags"], [`${replica.bucketArn}/*`]);
  allow(role, ["kms:Encrypt"], [replica.keyArn]);
  allowKey(role, key, "s3", ["Decrypt"]);
  acknowledgeWildcards(role, { "/*": "replication reads every object of the one bucket and writes it to the other" });
  const resource = bucket.node.defaultChild as s3.CfnBucket;
  resource.replicationConfiguration = {
    role: role.roleArn,
    rules: DATA_PREFIXES.map((prefix, priority) => ({
      id: nameOf(prefix),
      status: "Enabled",
      priority,
      filter: { prefix },
      deleteMarkerReplication: { status: "Disabled" },
      sourceSelectionCriteria: { sseKmsEncryptedObjects: { status: "Enabled" } },
      destination: {
        bucket: replica.bucketArn,
        storageClass: "GLACIER_IR",
        encryptionConfiguration: { replicaKmsKeyId: replica.keyArn },
      },
    })),
  };
}

function nameOf(prefix: string): string {
  return prefix.replace("/", "");
}
