import {
  ArnFormat,
  type aws_glue as glue,
  aws_iam as iam,
  aws_kinesisfirehose as firehose,
  type aws_kms as kms,
  aws_logs as logs,
  RemovalPolicy,
  type aws_s3 as s3,
} from "aws-cdk-lib";
import { Construct } from "constructs";
import { deliveryProcessors } from "../../domain/delivery-processors.ts";
import { deliveryStreamName } from "../../domain/names.ts";
import type { TableSpec } from "../../domain/tables.ts";
import { lakeDatabaseName } from "../names.ts";
import { acknowledgeWildcards } from "./acknowledge.ts";
import type { DataClass } from "./data-class.ts";
import { allow, allowKey } from "./grants.ts";
import { tablePrefix } from "./lake-table.ts";
import { logGroup } from "./log-group.ts";
import type { MillraceStack } from "./millrace-stack.ts";

/** Where a delivery stream reports what it could not write. */
const LOG_STREAM = "delivery";

export interface LakeDeliveryProps {
  readonly bucket: s3.IBucket;
  readonly database: glue.CfnDatabase;
  readonly glueTable: glue.CfnTable;
  readonly keys: Readonly<Record<DataClass, kms.IKey>>;
}

/**
 * A delivery stream that writes one table's rows as Parquet. Rows come as lines of JSON, many in a record; their fields
 * `dt` and `hour` name the partition. Firehose converts formats only with buffers of 64 MiB or more and an uncompressed
 * destination (Parquet compresses by itself), and partitions dynamically only with a separate error prefix.
 */
export class LakeDelivery extends Construct {
  readonly stream: firehose.CfnDeliveryStream;
  readonly name: string;

  constructor(stack: MillraceStack, table: TableSpec, props: LakeDeliveryProps) {
    super(stack, `Delivery-${table.name}`);
    const { lake } = stack.config;
    this.name = deliveryStreamName(stack.config.name, table.name);
    const log = logGroup(this, "Logs", {
      config: stack.config,
      name: `delivery/${table.name}`,
      key: props.keys.operations,
    });
    const logStream = new logs.LogStream(this, "LogStream", {
      logGroup: log,
      logStreamName: LOG_STREAM,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    const role = this.#role(stack, table, props, log);
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
          processors: deliveryProcessors.map(({ type, parameters }) => ({ type, parameters: [...parameters] })),
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
          logGroupName: log.logGroupName,
          logStreamName: logStream.logStreamName,
        },
      },
    });
    this.stream.addResourceDependency(props.glueTable);
    this.stream.node.addDependency(role);
  }

  #role(stack: MillraceStack, table: TableSpec, { bucket, keys }: LakeDeliveryProps, log: logs.ILogGroup): iam.Role {
    const role = new iam.Role(this, "Role", {
      assumedBy: new iam.ServicePrincipal("firehose.amazonaws.com", {
        conditions: { StringEquals: { "aws:SourceAccount": stack.account } },
      }),
      description: `writes ${table.name} to the lake`,
    });
    allow(
      role,
      ["s3:AbortMultipartUpload", "s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"],
      [bucket.bucketArn],
    );
    allow(
      role,
      ["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"],
      [bucket.arnForObjects(`${tablePrefix(table)}*`), bucket.arnForObjects(`errors/${table.name}/*`)],
    );
    allowKey(role, keys.readings, "s3", ["Decrypt", "GenerateDataKey"]);
    allowKey(role, keys.readings, "firehose", ["Decrypt", "GenerateDataKey"]);
    const glueArn = (resource: string): string =>
      `arn:${stack.partition}:glue:${stack.region}:${stack.account}:${resource}`;
    const database = lakeDatabaseName(stack.config);
    allow(
      role,
      ["glue:GetTable", "glue:GetTableVersion", "glue:GetTableVersions"],
      [glueArn("catalog"), glueArn(`database/${database}`), glueArn(`table/${database}/${table.name}`)],
    );
    // Made of names: the ARN of a log group ends in `:*`, and no stream's ARN begins with that.
    const logStreamArn = stack.formatArn({
      service: "logs",
      resource: "log-group",
      resourceName: `${log.logGroupName}:log-stream:${LOG_STREAM}`,
      arnFormat: ArnFormat.COLON_RESOURCE_NAME,
    });
    allow(role, ["logs:PutLogEvents"], [logStreamArn]);
    acknowledgeWildcards(role, {
      [`/${tablePrefix(table)}*`]: "Firehose names its objects below the table's prefix itself",
      [`/errors/${table.name}/*`]: "Firehose names its error files itself",
    });
    return role;
  }
}
