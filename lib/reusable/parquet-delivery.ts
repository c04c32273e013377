import {
  ArnFormat,
  type aws_glue as glue,
  aws_iam as iam,
  aws_kinesisfirehose as firehose,
  type aws_kms as kms,
  aws_logs as logs,
  RemovalPolicy,
  type aws_s3 as s3,
  Stack,
} from "aws-cdk-lib";
import { Construct } from "constructs";
import { acknowledgeWildcards } from "./acknowledge.ts";
import { EncryptedLogs, type EncryptedLogsProps } from "./encrypted-logs.ts";
import { allow, allowKey } from "./grants.ts";

/** Where a delivery stream reports what it could not write. */
const LOG_STREAM = "delivery";
const BUFFER_SECONDS = 300;
const BUFFER_MIB = 128;

export interface ParquetDeliveryProps {
  readonly deliveryStreamName: string;
  readonly bucket: s3.IBucket;
  /** Prefix of the table's objects, with `/` at its end. */
  readonly prefix: string;
  /**
   * Prefix of what could not be written, with `/` at its end. It must not lie below the table's.
   *
   * @default `errors/<name of the table>/`
   */
  readonly errorPrefix?: string;
  readonly databaseName: string;
  readonly tableName: string;
  /** The table's resource, which has to be there first. */
  readonly glueTable: glue.CfnTable;
  /** Key of the rows: of the stream, and of what it writes to the bucket. */
  readonly key: kms.IKey;
  /** The log in which Firehose reports what it could not write. */
  readonly log: EncryptedLogsProps;
  /** Steps between a record and its rows. They take the partition's `dt` and `hour` from each row. */
  readonly processors: readonly firehose.CfnDeliveryStream.ProcessorProperty[];
  /**
   * Seconds that rows wait at most, 0 to 900.
   *
   * @default 300, Firehose's own
   */
  readonly bufferSeconds?: number;
  /**
   * MiB of rows that make a file, 64 to 128.
   *
   * @default 128, Firehose's own where it converts formats
   */
  readonly bufferMiB?: number;
}

/**
 * A delivery stream that writes one table's rows as Parquet. Rows come as lines of JSON, many in a record; their fields
 * `dt` and `hour` name the partition. Firehose converts formats only with buffers of 64 MiB or more and an uncompressed
 * destination (Parquet compresses by itself), and partitions dynamically only with a separate error prefix.
 */
export class ParquetDelivery extends Construct {
  readonly stream: firehose.CfnDeliveryStream;
  readonly deliveryStreamName: string;

  constructor(scope: Construct, id: string, props: ParquetDeliveryProps) {
    super(scope, id);
    const { region, account } = Stack.of(this);
    const log = new EncryptedLogs(this, "Logs", props.log);
    const errorPrefix = props.errorPrefix ?? `errors/${props.tableName}/`;
    this.deliveryStreamName = props.deliveryStreamName;
    const logStream = new logs.LogStream(this, "LogStream", {
      logGroup: log,
      logStreamName: LOG_STREAM,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    const role = this.#role(props, errorPrefix, log);
    this.stream = new firehose.CfnDeliveryStream(this, "Stream", {
      deliveryStreamName: this.deliveryStreamName,
      deliveryStreamType: "DirectPut",
      deliveryStreamEncryptionConfigurationInput: {
        keyType: "CUSTOMER_MANAGED_CMK",
        keyArn: props.key.keyArn,
      },
      extendedS3DestinationConfiguration: {
        bucketArn: props.bucket.bucketArn,
        roleArn: role.roleArn,
        bufferingHints: {
          intervalInSeconds: props.bufferSeconds ?? BUFFER_SECONDS,
          sizeInMBs: props.bufferMiB ?? BUFFER_MIB,
        },
        compressionFormat: "UNCOMPRESSED",
        encryptionConfiguration: { kmsEncryptionConfig: { awskmsKeyArn: props.key.keyArn } },
        prefix: `${props.prefix}dt=!{partitionKeyFromQuery:dt}/hour=!{partitionKeyFromQuery:hour}/`,
        errorOutputPrefix: `${errorPrefix}!{firehose:error-output-type}/dt=!{timestamp:yyyy-MM-dd}/`,
        customTimeZone: "UTC",
        dynamicPartitioningConfiguration: { enabled: true, retryOptions: { durationInSeconds: 3_600 } },
        processingConfiguration: {
          enabled: true,
          processors: [...props.processors],
        },
        dataFormatConversionConfiguration: {
          enabled: true,
          inputFormatConfiguration: {
            deserializer: { openXJsonSerDe: { caseInsensitive: true, convertDotsInJsonKeysToUnderscores: false } },
          },
          outputFormatConfiguration: { serializer: { parquetSerDe: { compression: "SNAPPY" } } },
          schemaConfiguration: {
            catalogId: account,
            databaseName: props.databaseName,
            tableName: props.tableName,
            region,
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

  #role(props: ParquetDeliveryProps, errorPrefix: string, log: logs.ILogGroup): iam.Role {
    const { bucket, key, prefix, databaseName, tableName } = props;
    const stack = Stack.of(this);
    const role = new iam.Role(this, "Role", {
      assumedBy: new iam.ServicePrincipal("firehose.amazonaws.com", {
        conditions: { StringEquals: { "aws:SourceAccount": stack.account } },
      }),
      description: `writes ${tableName} to the lake`,
    });
    allow(
      role,
      ["s3:AbortMultipartUpload", "s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"],
      [bucket.bucketArn],
    );
    allow(
      role,
      ["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"],
      [bucket.arnForObjects(`${prefix}*`), bucket.arnForObjects(`${errorPrefix}*`)],
    );
    allowKey(role, key, "s3", ["Decrypt", "GenerateDataKey"]);
    allowKey(role, key, "firehose", ["Decrypt", "GenerateDataKey"]);
    const glueArn = (resource: string): string =>
      `arn:${stack.partition}:glue:${stack.region}:${stack.account}:${resource}`;
    allow(
      role,
      ["glue:GetTable", "glue:GetTableVersion", "glue:GetTableVersions"],
      [glueArn("catalog"), glueArn(`database/${databaseName}`), glueArn(`table/${databaseName}/${tableName}`)],
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
      [`/${prefix}*`]: "Firehose names its objects below the table's prefix itself",
      [`/${errorPrefix}*`]: "Firehose names its error files itself",
    });
    return role;
  }
}
