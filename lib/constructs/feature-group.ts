import { aws_iam as iam, type aws_kms as kms, type aws_s3 as s3, aws_sagemaker as sagemaker } from "aws-cdk-lib";
import { EVENT_TIME_FEATURE, featureGroups } from "../../domain/features.ts";
import { featureGroupName } from "../../domain/names.ts";
import { acknowledgeWildcards } from "./acknowledge.ts";
import { allow, allowKey } from "./grants.ts";
import type { MillraceStack } from "./millrace-stack.ts";

/** The sensors' feature group of `domain/features.ts`: its online store, and its offline store in the lake's bucket. */
export function featureGroup(stack: MillraceStack, bucket: s3.IBucket, key: kms.IKey): sagemaker.CfnFeatureGroup {
  const role = offlineStoreRole(stack, bucket, key);
  const group = new sagemaker.CfnFeatureGroup(stack, "FeatureGroup", {
    featureGroupName: featureGroupName(stack.config.name, "sensorWindows"),
    description: featureGroups.sensorWindows.doc,
    recordIdentifierFeatureName: featureGroups.sensorWindows.recordIdentifier,
    eventTimeFeatureName: EVENT_TIME_FEATURE,
    featureDefinitions: featureGroups.sensorWindows.features.map(({ name, type }) => ({
      featureName: name,
      featureType: type,
    })),
    onlineStoreConfig: {
      EnableOnlineStore: true,
      SecurityConfig: { KmsKeyId: key.keyArn },
      TtlDuration: { Unit: "Days", Value: stack.config.features.onlineTtlDays },
    },
    offlineStoreConfig: {
      S3StorageConfig: { S3Uri: `s3://${bucket.bucketName}/features`, KmsKeyId: key.keyArn },
      TableFormat: "Iceberg",
    },
    roleArn: role.roleArn,
  });
  group.applyRemovalPolicy(stack.dataRemovalPolicy);
  // The service checks its access to the bucket when the group is made.
  group.node.addDependency(role);
  return group;
}

function offlineStoreRole(stack: MillraceStack, bucket: s3.IBucket, key: kms.IKey): iam.Role {
  const role = new iam.Role(stack, "FeatureStoreRole", {
    assumedBy: new iam.ServicePrincipal("sagemaker.amazonaws.com", {
      conditions: { StringEquals: { "aws:SourceAccount": stack.account } },
    }),
    description: "writes the offline feature store to the lake",
  });
  allow(role, ["s3:GetBucketAcl", "s3:GetBucketLocation"], [bucket.bucketArn]);
  allow(role, ["s3:PutObject"], [bucket.arnForObjects("features/*")]);
  allowKey(role, key, "s3", ["Decrypt", "GenerateDataKey"]);
  acknowledgeWildcards(role, { "/features/*": "Feature Store names the objects below features/ itself" });
  return role;
}
