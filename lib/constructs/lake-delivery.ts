import {
  type aws_glue as glue,
  aws_iam as iam,
  aws_kinesisfirehose as firehose,
  type aws_kms as kms,
  aws_logs as logs,
  RemovalPolicy,
  type aws_s3 as s3,
} from "aws-cdk-lib";
import { Construct } from "constructs";
import { deliveryStreamName } from "../../domain/names.ts";
import type { TableSpec } from "../../domain/tables.ts";
import { lakeDatabaseName, logGroupName } from "../names.ts";
import type { DataClass } from "../stacks/security.ts";
import type { MillraceStack } from "../stacks/stack.ts";
import { acknowledgeWildcards } from "./acknowledge.ts";
import { allowKey } from "./grants.ts";
import { tablePrefix } from "./lake-table.ts";

export interface LakeDeliveryProps {
  readonly bucket: s3.IBucket;
  readonly database: glue.CfnDatabase;
  readonly glueTable: glue.CfnTable;
  readonly keys: Readonly<Record<DataClass, kms.IKey>>;
}

/**
 * A delivery stream that writes one table's rows as Parquet. Rows come as JSON with the fields `dt` and `hour`, which
 * name their partition. Conversion wants buffers of 64 to 128 MiB and an uncompressed destination (Parquet compresses
 * by itself), dynamic partitioning an error prefix of its own.
 */
export class LakeDelivery extends Construct {
  readonly stream: firehose.CfnDeliveryStream;
  readonly name: string;

  constructor(stack: MillraceStack, table: TableSpec, props: LakeDeliveryProps) {
    super(stack, `Delivery-${table.name}`);
    const { lake } = stack.config;
    this.name = deliveryStreamName(stack.config.name, table.name);
    const logGroup = new logs.LogGroup(this, "Logs", {
      logGroupName: logGroupName(stack.config, `delivery/${table.name}`),
      encryptionKey: props.keys.operations,
      retention: stack.config.logRetentionDays,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    const logStream = new logs.LogStream(this, "LogStream", {
      logGroup,
      logStreamName: "delivery",
      removalPolicy: RemovalPolicy.DESTROY,
    });
    const role = this.#role(stack, table, props, logGroup);
    this.stream = new firehose.CfnDeliveryStream(this, "Stream", {
      deliveryStreamName: this.name,
      deliveryStreamType: "DirectPut",
      deliveryStreamEncryptionConfigurationInput: {
        keyType: "CUSTOMER_MANAGED_CMK",
        keyArn: props.keys.readings.keyArn,
      },
      extendedS3DestinationConfiguration: {
        bucketArn: props.bucket.bucketArn,
        roleArn: role.roleArn,
        bufferingHints: { intervalInSeconds: lake.bufferSeconds, sizeInMBs: lake.bufferMiB },
        compressionFormat: "UNCOMPRESSED",
        encryptionConfiguration: { kmsEncryptionConfig: { awskmsKeyArn: props.keys.readings.keyArn } },
        prefix: `${tablePrefix(table)}dt=!{partitionKeyFromQuery:dt}/hour=!{partitionKeyFromQuery:hour}/`,
        errorOutputPrefix: `errors/${table.name}/!{firehose:error-output-type}/dt=!{timestamp:yyyy-MM-dd}/`,
        customTimeZone: "UTC",
        dynamicPartitioningConfiguration: { enabled: true, retryOptions: { durationInSeconds: 3_600 } },
        processingConfiguration: {
          enabled: true,
          processors: [
            {
              type: "MetadataExtraction",
              parameters: [
                { parameterName: "MetadataExtractionQuery", parameterValue: "{dt: .dt, hour: .hour}" },
                { parameterName: "JsonParsingEngine", parameterValue: "JQ-1.6" },
              ],
            },
          ],
        },
        dataFormatConversionConfiguration: {
          enabled: true,
          inputFormatConfiguration: {
            deserializer: { openXJsonSerDe: { caseInsensitive: true, convertDotsInJsonKeysToUnderscores: false } },
          },
          outputFormatConfiguration: { serializer: { parquetSerDe: { compression: "SNAPPY" } } },
          schemaConfiguration: {
            catalogId: stack.account,
            databaseName: lakeDatabaseName(stack.config),
            tableName: table.name,
            region: stack.region,
            roleArn: role.roleArn,
            versionId: "LATEST",
          },
        },
        cloudWatchLoggingOptions: {
          enabled: true,
          logGroupName: logGroup.logGroupName,
          logStreamName: logStream.logStreamName,
        },
      },
    });
    this.stream.addResourceDependency(props.glueTable);
    this.stream.node.addDependency(role);
  }

  #role(
    stack: MillraceStack,
    table: TableSpec,
    { bucket, keys }: LakeDeliveryProps,
    logGroup: logs.ILogGroup,
  ): iam.Role {
    const role = new iam.Role(this, "Role", {
      assumedBy: new iam.ServicePrincipal("firehose.amazonaws.com", {
        conditions: { StringEquals: { "aws:SourceAccount": stack.account } },
      }),
      description: `writes ${table.name} to the lake`,
    });
    role.addToPolicy(
      new iam.PolicyStatement({
        actions: ["s3:AbortMultipartUpload", "s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"],
        resources: [bucket.bucketArn],
      }),
    );
    role.addToPolicy(
      new iam.PolicyStatement({
        actions: ["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"],
        resources: [bucket.arnForObjects(`${tablePrefix(table)}*`), bucket.arnForObjects(`errors/${table.name}/*`)],
      }),
    );
    allowKey(role, keys.readings, "s3", ["Decrypt", "GenerateDataKey"]);
    allowKey(role, keys.readings, "firehose", ["Decrypt", "GenerateDataKey"]);
    const glueArn = (resource: string): string =>
      `arn:${stack.partition}:glue:${stack.region}:${stack.account}:${resource}`;
    const database = lakeDatabaseName(stack.config);
    role.addToPolicy(
      new iam.PolicyStatement({
        actions: ["glue:GetTable", "glue:GetTableVersion", "glue:GetTableVersions"],
        resources: [glueArn("catalog"), glueArn(`database/${database}`), glueArn(`table/${database}/${table.name}`)],
      }),
    );
    role.addToPolicy(
      new iam.PolicyStatement({ actions: ["logs:PutLogEvents"], resources: [`${logGroup.logGroupArn}:log-stream:*`] }),
    );
    acknowledgeWildcards(role, {
      [`/${tablePrefix(table)}*`]: "Firehose names its objects below the table's prefix itself",
      [`/errors/${table.name}/*`]: "Firehose names its error files itself",
      ":log-stream:*": "Firehose names its log streams itself",
    });
    return role;
  }
}
