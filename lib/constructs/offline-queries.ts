import type { aws_athena as athena, aws_iam as iam, aws_kms as kms, aws_s3 as s3 } from "aws-cdk-lib";
import { acknowledgeWildcards } from "../reusable/acknowledge.ts";
import { allow, allowKey } from "../reusable/grants.ts";
import { OFFLINE_TABLE_REASON, offlineTableName, offlineTables } from "./feature-group.ts";
import type { MillraceStack } from "./millrace-stack.ts";

export interface OfflineQueryProps {
  /** The lake's, which has the offline stores and the results of queries. */
  readonly bucket: s3.IBucket;
  readonly workGroup: athena.CfnWorkGroup;
  /** The bucket's. */
  readonly key: kms.IKey;
  /** Whether it also deletes rows. */
  readonly erases: boolean;
}

/**
 * Lets a program query the offline stores by Athena, which reads a group's table and writes results with the rights of
 * the caller. A deletion of rows of an Iceberg table adds files and a new version of the table.
 * https://docs.aws.amazon.com/athena/latest/ug/querying-iceberg-delete.html
 */
export function letQueryOfflineStores(
  stack: MillraceStack,
  grantee: iam.IGrantable & Parameters<typeof acknowledgeWildcards>[0],
  { bucket, workGroup, key, erases }: OfflineQueryProps,
): void {
  allow(
    grantee,
    ["athena:StartQueryExecution", "athena:GetQueryExecution", "athena:GetQueryResults"],
    [stack.formatArn({ service: "athena", resource: "workgroup", resourceName: workGroup.name })],
  );
  const glue = ["glue:GetDatabase", "glue:GetTable", "glue:GetPartitions"];
  allow(grantee, erases ? [...glue, "glue:UpdateTable"] : glue, offlineTables(stack));
  allow(grantee, ["s3:GetBucketLocation", "s3:ListBucket"], [bucket.bucketArn]);
  const files = erases ? ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"] : ["s3:GetObject"];
  allow(grantee, files, [bucket.arnForObjects("features/*")]);
  allow(
    grantee,
    ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"],
    [bucket.arnForObjects("query-results/*")],
  );
  allowKey(grantee, key, "s3", ["Decrypt", "GenerateDataKey"]);
  acknowledgeWildcards(grantee, {
    [`/${offlineTableName(stack.config)}`]: OFFLINE_TABLE_REASON,
    "/features/*": "Feature Store names the objects of the table",
    "/query-results/*": "Athena names the objects of results",
  });
}
