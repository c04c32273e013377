import { aws_iam as iam, type aws_kms as kms, type aws_s3 as s3, aws_sagemaker as sagemaker } from "aws-cdk-lib";
import { runningPipelineNames } from "../../config/pipelines.ts";
import type { Environment } from "../../config/schema.ts";
import {
  EVENT_TIME_FEATURE,
  type FeatureGroupKey,
  featureGroups,
  type FeatureGroupSpec,
} from "../../domain/features.ts";
import { featureGroupName } from "../../domain/names.ts";
import { existingWhere } from "../../domain/pipelines.ts";
import { resourceName } from "../names.ts";
import { acknowledgeWildcards } from "../reusable/acknowledge.ts";
import { allow, allowKey } from "../reusable/grants.ts";
import type { MillraceStack } from "./millrace-stack.ts";

/** Glue database that Feature Store puts the tables of offline stores in. */
const OFFLINE_DATABASE = "sagemaker_featurestore";

/** Feature groups, by their key. Those of a pipeline that does not run are not there. */
export type FeatureGroups = Readonly<Partial<Record<FeatureGroupKey, sagemaker.CfnFeatureGroup>>>;

/** The feature groups of `domain/features.ts` of an environment, and one role that writes their offline stores. */
export function environmentFeatureGroups(stack: MillraceStack, bucket: s3.IBucket, key: kms.IKey): FeatureGroups {
  const role = offlineStoreRole(stack, bucket, key);
  const all = (Object.keys(featureGroups) as FeatureGroupKey[]).map((group) => ({
    group,
    ...(featureGroups[group] as FeatureGroupSpec),
  }));
  return Object.fromEntries(
    existingWhere(all, runningPipelineNames(stack.config)).map(({ group }) => [
      group,
      featureGroup(stack, group, { bucket, key, role }),
    ]),
  );
}

/** A feature group: its online store, and its offline store in the lake's bucket. */
function featureGroup(
  stack: MillraceStack,
  name: FeatureGroupKey,
  { bucket, key, role }: { readonly bucket: s3.IBucket; readonly key: kms.IKey; readonly role: iam.Role },
): sagemaker.CfnFeatureGroup {
  const spec: FeatureGroupSpec = featureGroups[name];
  // The sensors' was the only one for a time: another id would replace it, with its data.
  const id = name === "sensorWindows" ? "FeatureGroup" : `FeatureGroup-${name}`;
  const group = new sagemaker.CfnFeatureGroup(stack, id, {
    featureGroupName: featureGroupName(stack.config.name, name),
    description: spec.doc,
    recordIdentifierFeatureName: spec.recordIdentifier,
    eventTimeFeatureName: EVENT_TIME_FEATURE,
    featureDefinitions: spec.features.map(({ name: featureName, type }) => ({ featureName, featureType: type })),
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

/** Why a policy names the tables of offline stores by a wildcard. */
export const OFFLINE_TABLE_REASON = "Feature Store ends the table's name with the time when it makes it";

/** Names of the Glue tables of an environment's offline stores. */
export function offlineTableName(config: Environment): string {
  return `${resourceName(config, "").replaceAll("-", "_")}*`;
}

/** ARNs of the Glue tables of an environment's offline stores, and of what they are in. */
export function offlineTables(stack: MillraceStack): string[] {
  const arn = (resource: string, resourceName?: string): string =>
    stack.formatArn({ service: "glue", resource, ...(resourceName === undefined ? {} : { resourceName }) });
  return [
    arn("catalog"),
    arn("database", OFFLINE_DATABASE),
    arn("table", `${OFFLINE_DATABASE}/${offlineTableName(stack.config)}`),
  ];
}

function offlineStoreRole(stack: MillraceStack, bucket: s3.IBucket, key: kms.IKey): iam.Role {
  const role = new iam.Role(stack, "FeatureStoreRole", {
    assumedBy: new iam.ServicePrincipal("sagemaker.amazonaws.com", {
      conditions: { StringEquals: { "aws:SourceAccount": stack.account } },
    }),
    description: "writes the offline feature store to the lake",
  });
  // What AmazonSageMakerFeatureStoreAccess allows, for this bucket and these tables. An Iceberg table's metadata are
  // read and its entry in Glue is updated with each write.
  allow(role, ["s3:GetBucketAcl", "s3:GetBucketLocation"], [bucket.bucketArn]);
  allow(role, ["s3:PutObject", "s3:PutObjectAcl", "s3:GetObject"], [bucket.arnForObjects("features/*")]);
  allowKey(role, key, "s3", ["Decrypt", "GenerateDataKey"]);
  allow(role, ["glue:GetTable", "glue:UpdateTable"], offlineTables(stack));
  acknowledgeWildcards(role, {
    "/features/*": "Feature Store names the objects below features/ itself",
    [`/${offlineTableName(stack.config)}`]: OFFLINE_TABLE_REASON,
  });
  return role;
}
