import { type aws_athena as athena, aws_glue as glue, aws_s3 as s3, CfnOutput, Duration } from "aws-cdk-lib";
import type { Construct } from "constructs";
import { runningPipelineNames } from "../../config/pipelines.ts";
import type { Environment } from "../../config/schema.ts";
import { deliveryProcessors } from "../../domain/delivery-processors.ts";
import { deliveryStreamName } from "../../domain/names.ts";
import { existingWhere } from "../../domain/pipelines.ts";
import { tables, type TableName, type TableSpec } from "../../domain/tables.ts";
import { auditTrail } from "../constructs/audit-trail.ts";
import { dataBucket } from "../constructs/data-bucket.ts";
import { environmentFeatureGroups, type FeatureGroups } from "../constructs/feature-group.ts";
import { lakeBucket } from "../constructs/lake-bucket.ts";
import { lakeQueries } from "../constructs/lake-queries.ts";
import { exactView, lakeTable, tablePrefix } from "../constructs/lake-table.ts";
import { MillraceStack } from "../constructs/millrace-stack.ts";
import { lakeDatabaseName, logGroupName } from "../names.ts";
import { acknowledge } from "../reusable/acknowledge.ts";
import { ParquetDelivery } from "../reusable/parquet-delivery.ts";
import type { SecurityStack } from "./security.ts";

/** The lake: bucket, Glue tables, delivery streams, Athena, and the feature store, whose offline data is here too. */
export class LakeStack extends MillraceStack {
  readonly bucket: s3.IBucket;
  /**
   * By table, and by table and number where a table has several (`raw-2`). Those of a pipeline that does not run are
   * not there.
   */
  readonly deliveries: Readonly<Record<string, ParquetDelivery>>;
  readonly featureGroups: FeatureGroups;
  readonly workGroup: athena.CfnWorkGroup;

  constructor(scope: Construct, id: string, config: Environment, { security }: { readonly security: SecurityStack }) {
    super(scope, id, { config, stateful: true, description: "lake, its tables and delivery streams, feature store" });
    const key = security.keys.readings;
    const accessLogs = dataBucket(this, "access-logs", {
      encryption: s3.BucketEncryption.S3_MANAGED,
      lifecycleRules: [{ expiration: Duration.days(365) }],
    });
    acknowledge(accessLogs, { S1: "the bucket that access logs go to; logging its own access would never end" });
    this.bucket = lakeBucket(this, { accessLogs, key });
    this.deliveries = this.#tables(security);
    this.workGroup = lakeQueries(this, this.bucket, key);
    this.featureGroups = environmentFeatureGroups(this, this.bucket, key);
    if (config.lake.auditTrail) auditTrail(this, this.bucket, { accessLogs, key });
    new CfnOutput(this, "LakeBucket", { value: this.bucket.bucketName, description: "bucket of the lake" });
  }

  /** The database, and for each table of `domain/tables.ts` its Glue table, view and delivery streams. */
  #tables({ keys }: SecurityStack): Record<string, ParquetDelivery> {
    const { bucket, config } = this;
    const database = new glue.CfnDatabase(this, "Database", {
      catalogId: this.account,
      databaseInput: {
        name: lakeDatabaseName(config),
        description: `Millrace ${config.name}: what went through the platform`,
      },
    });
    const deliveries = existingWhere(Object.values<TableSpec>(tables), runningPipelineNames(config)).flatMap(
      (table) => {
        const glueTable = lakeTable(this, table, database, bucket);
        exactView(this, table, glueTable);
        return Array.from({ length: config.lake.streams[table.name as TableName] ?? 1 }, (_, index) => {
          const suffix = index === 0 ? table.name : `${table.name}-${index + 1}`;
          const deliveryStream = deliveryStreamName(config.name, table.name, index + 1);
          return [suffix, this.#delivery(table, glueTable, { keys, suffix, deliveryStream })] as const;
        });
      },
    );
    return Object.fromEntries(deliveries);
  }

  #delivery(
    table: TableSpec,
    glueTable: glue.CfnTable,
    {
      keys,
      suffix,
      deliveryStream,
    }: { readonly keys: SecurityStack["keys"]; readonly suffix: string; readonly deliveryStream: string },
  ): ParquetDelivery {
    const { config } = this;
    return new ParquetDelivery(this, `Delivery-${suffix}`, {
      deliveryStreamName: deliveryStream,
      bucket: this.bucket,
      prefix: tablePrefix(table),
      databaseName: lakeDatabaseName(config),
      tableName: table.name,
      glueTable,
      key: keys.readings,
      log: {
        logGroupName: logGroupName(config, `delivery/${suffix}`),
        key: keys.operations,
        retention: config.logRetentionDays,
      },
      processors: deliveryProcessors.map(({ type, parameters }) => ({ type, parameters: [...parameters] })),
      bufferSeconds: config.lake.bufferSeconds,
      bufferMiB: config.lake.bufferMiB,
    });
  }
}
