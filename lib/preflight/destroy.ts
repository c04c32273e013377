import type { Environment } from "../../config/schema.ts";
import type { BilledResource } from "../cost/inventory.ts";
import { resourceName } from "../names.ts";

/** A resource of a template, with what becomes of it when its stack is deleted. */
export interface DeletedResource extends BilledResource {
  readonly DeletionPolicy?: string;
}

/**
 * What stays of an environment when its stacks are deleted, and why, one sentence each.
 *
 * @param resources Resources of the environment's templates.
 */
export function whatStays(config: Environment, resources: readonly DeletedResource[]): string[] {
  return [...protectedStacks(config), ...kept(resources), ...ofNoStack(config)];
}

function protectedStacks({ retainData }: Environment): string[] {
  if (!retainData) return [];
  return [
    "the stacks that hold data, by termination protection: retainData is true. To delete them, set it to false, " +
      "deploy, and destroy; the deployment also lets go of what is kept below",
  ];
}

/** By type, because an environment has many of a kind. */
function kept(resources: readonly DeletedResource[]): string[] {
  const policies = { Retain: "it is kept", RetainExceptOnCreate: "it is kept", Snapshot: "a last snapshot is kept" };
  return Object.entries(policies).flatMap(([policy, what]) => {
    const types = resources.filter(({ DeletionPolicy }) => DeletionPolicy === policy).map(({ Type }) => Type);
    return [...new Set(types)]
      .toSorted()
      .map((type) => `${types.filter((one) => one === type).length} of ${type}: deletion policy ${policy}, ${what}`);
  });
}

/** What no stack has, or what a service keeps of what a stack had. */
function ofNoStack(config: Environment): string[] {
  const { retainData, lake, ownsAccountSettings } = config;
  const sensor = resourceName(config, "sensor");
  return [
    // https://docs.aws.amazon.com/iot/latest/apireference/API_DeletePolicy.html and API_DeleteThingType.html
    `the stack ${resourceName(config, "ingestion")}, while a certificate has one of its policies or a thing its type ` +
      "(IoT Core deletes neither). For the policies " +
      `${sensor} and ${resourceName(config, "claim")}: aws iot list-targets-for-policy --policy-name NAME, and for ` +
      "each target aws iot detach-policy --policy-name NAME --target TARGET; for the type: " +
      `aws iot list-things --thing-type-name ${sensor}, and for each thing ` +
      "aws iot update-thing --thing-name THING --remove-thing-type. Five minutes later it goes",
    "things and certificates of devices that provisioned themselves: aws iot list-things-in-thing-group " +
      `--thing-group-name ${resourceName(config, "sensors")}`,
    // https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DeleteFeatureGroup.html
    "Glue tables of the offline feature store, in the database sagemaker_featurestore: SageMaker made them",
    // https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Point-in-time-recovery.html
    "a system backup of each table that is deleted, for 35 days: point-in-time recovery was on",
    // https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-container-insights.html
    `the log group /aws/ecs/containerinsights/${resourceName(config, "cluster")}/performance: made by its service`,
    // https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-loggroups.html
    `log groups that services made, without an end: /aws/lambda/${resourceName(config, "")}… of the CDK's own ` +
      "functions, that of the password's rotation, API-Gateway-Execution-Logs_…, AWSIotLogsV2: aws logs " +
      "describe-log-groups",
    // https://docs.aws.amazon.com/kms/latest/developerguide/deleting-keys.html
    ...(retainData ? [] : ["the keys, for 7 days: KMS deletes none at once (aws kms cancel-key-deletion)"]),
    ...(lake.replica === null ? [] : [`the replica ${lake.replica.bucketArn} and its key: made beforehand, by you`]),
    ...(ownsAccountSettings ? ["IoT Core's indexing of the account: another environment may rely on it"] : []),
    "images and files of the bootstrap stack CDKToolkit: all apps of the account share it (npx cdk gc)",
  ];
}
