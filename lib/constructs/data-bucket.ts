import { aws_s3 as s3 } from "aws-cdk-lib";
import { bucketName } from "../names.ts";
import type { MillraceStack } from "./millrace-stack.ts";

/**
 * A bucket that is closed to the public and to plain HTTP. It is emptied and deleted with its stack where the
 * environment does not keep its data.
 */
export function dataBucket(stack: MillraceStack, name: string, props: s3.BucketProps): s3.IBucket {
  const bucket = new s3.Bucket(stack, `Bucket-${name}`, {
    bucketName: bucketName(stack.config, name),
    blockPublicAccess: s3.BlockPublicAccess.BLOCK_ALL,
    objectOwnership: s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
    enforceSSL: true,
    minimumTLSVersion: 1.2,
    removalPolicy: stack.dataRemovalPolicy,
    autoDeleteObjects: !stack.config.retainData,
    ...props,
  });
  // The CDK's types were not written for exact optional properties.
  return bucket as s3.IBucket;
}
