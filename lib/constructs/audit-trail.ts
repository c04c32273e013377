import { aws_cloudtrail as cloudtrail, type aws_kms as kms, aws_s3 as s3, Duration } from "aws-cdk-lib";
import { resourceName } from "../names.ts";
import { dataBucket } from "./data-bucket.ts";
import type { MillraceStack } from "./millrace-stack.ts";

/** Seven years: 7 × 365 days and two leap days. */
const AUDIT_RETENTION = Duration.days(2_557);

/** Records who read or wrote which object of a bucket, in a bucket of its own. */
export function auditTrail(
  stack: MillraceStack,
  audited: s3.IBucket,
  { accessLogs, key }: { readonly accessLogs: s3.IBucket; readonly key: kms.IKey },
): void {
  const bucket = dataBucket(stack, "audit", {
    encryption: s3.BucketEncryption.KMS,
    encryptionKey: key,
    bucketKeyEnabled: true,
    versioned: true,
    serverAccessLogsBucket: accessLogs,
    serverAccessLogsPrefix: "audit/",
    lifecycleRules: [
      {
        transitions: [{ storageClass: s3.StorageClass.GLACIER_INSTANT_RETRIEVAL, transitionAfter: Duration.days(90) }],
        expiration: AUDIT_RETENTION,
      },
    ],
  });
  const trail = new cloudtrail.Trail(stack, "AuditTrail", {
    trailName: resourceName(stack.config, "lake"),
    bucket,
    encryptionKey: key,
    enableFileValidation: true,
    isMultiRegionTrail: false,
    includeGlobalServiceEvents: false,
    managementEvents: cloudtrail.ReadWriteType.NONE,
  });
  trail.addS3EventSelector([{ bucket: audited }], {
    readWriteType: cloudtrail.ReadWriteType.ALL,
    includeManagementEvents: false,
  });
}
