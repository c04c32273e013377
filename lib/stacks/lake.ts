import {
  aws_athena as athena,
  aws_cloudtrail as cloudtrail,
  aws_glue as glue,
  aws_iam as iam,
  aws_s3 as s3,
  aws_sagemaker as sagemaker,
  CfnOutput,
  Duration,
} from "aws-cdk-lib";
import type { Construct } from "constructs";
import type { Environment } from "../../config/schema.ts";
import { EVENT_TIME_FEATURE, features, RECORD_IDENTIFIER_FEATURE } from "../../domain/features.ts";
import { featureGroupName } from "../../domain/names.ts";
import { tables, type TableName } from "../../domain/tables.ts";
import { acknowledge, acknowledgeWildcards } from "../constructs/acknowledge.ts";
import { allowKey } from "../constructs/grants.ts";
import { LakeDelivery } from "../constructs/lake-delivery.ts";
import { exactView, lakeTable } from "../constructs/lake-table.ts";
import { bucketName, lakeDatabaseName, resourceName } from "../names.ts";
import type { SecurityStack } from "./security.ts";
import { MillraceStack } from "./stack.ts";

/** The lake: bucket, Glue tables, delivery streams, Athena, and the feature store that writes its offline half there. */
export class LakeStack extends MillraceStack {
  readonly bucket: s3.IBucket;
  readonly deliveries: Readonly<Record<TableName, LakeDelivery>>;
  readonly featureGroup: sagemaker.CfnFeatureGroup;
  readonly workGroup: athena.CfnWorkGroup;

  constructor(scope: Construct, id: string, config: Environment, { security }: { readonly security: SecurityStack }) {
    super(scope, id, { config, stateful: true, description: "lake, its tables and delivery streams, feature store" });
    const accessLogs = this.#bucket("access-logs", {
      encryption: s3.BucketEncryption.S3_MANAGED,
      lifecycleRules: [{ expiration: Duration.days(365) }],
    });
    acknowledge(accessLogs, { S1: "the bucket that access logs go to; logging its own access would never end" });
    this.bucket = this.#lakeBucket(accessLogs, security);
    const database = new glue.CfnDatabase(this, "Database", {
      catalogId: this.account,
      databaseInput: {
        name: lakeDatabaseName(config),
        description: `Millrace ${config.name}: what went through the platform`,
      },
    });
    const glueTables = Object.fromEntries(
      Object.values(tables).map((table) => [table.name, lakeTable(this, table, database, this.bucket)]),
    ) as Record<TableName, glue.CfnTable>;
    for (const table of Object.values(tables)) exactView(this, table, glueTables[table.name]);
    this.deliveries = Object.fromEntries(
      Object.values(tables).map((table) => [
        table.name,
        new LakeDelivery(this, table, {
          bucket: this.bucket,
          database,
          glueTable: glueTables[table.name],
          keys: security.keys,
        }),
      ]),
    ) as Record<TableName, LakeDelivery>;
    this.workGroup = this.#athena(security);
    this.featureGroup = this.#features(security);
    if (config.lake.auditTrail) this.#auditTrail(accessLogs, security);
    new CfnOutput(this, "LakeBucket", { value: this.bucket.bucketName, description: "bucket of the lake" });
  }

  #bucket(name: string, props: s3.BucketProps): s3.IBucket {
    const bucket = new s3.Bucket(this, `Bucket-${name}`, {
      bucketName: bucketName(this.config, name),
      blockPublicAccess: s3.BlockPublicAccess.BLOCK_ALL,
      objectOwnership: s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
      enforceSSL: true,
      minimumTLSVersion: 1.2,
      removalPolicy: this.dataRemovalPolicy,
      autoDeleteObjects: !this.config.retainData,
      ...props,
    });
    // The CDK's types were not written for exact optional properties.
    return bucket as s3.IBucket;
  }

  #lakeBucket(accessLogs: s3.IBucket, { keys }: SecurityStack): s3.IBucket {
    const { lake } = this.config;
    const bucket = this.#bucket("lake", {
      encryption: s3.BucketEncryption.KMS,
      encryptionKey: keys.readings,
      bucketKeyEnabled: true,
      versioned: true,
      serverAccessLogsBucket: accessLogs,
      serverAccessLogsPrefix: "lake/",
      lifecycleRules: [
        {
          id: "tables",
          prefix: "tables/",
          transitions: [
            {
              storageClass: s3.StorageClass.GLACIER_INSTANT_RETRIEVAL,
              transitionAfter: Duration.days(lake.glacierAfterDays),
            },
          ],
          expiration: Duration.days(lake.expireAfterDays),
        },
        {
          id: "features",
          prefix: "features/",
          transitions: [
            {
              storageClass: s3.StorageClass.GLACIER_INSTANT_RETRIEVAL,
              transitionAfter: Duration.days(lake.glacierAfterDays),
            },
          ],
          expiration: Duration.days(lake.expireAfterDays),
        },
        { id: "query-results", prefix: "query-results/", expiration: Duration.days(14) },
        { id: "errors", prefix: "errors/", expiration: Duration.days(90) },
        {
          id: "old-versions",
          noncurrentVersionExpiration: Duration.days(30),
          abortIncompleteMultipartUploadAfter: Duration.days(1),
          expiredObjectDeleteMarker: true,
        },
      ],
    });
    if (lake.replica !== null) this.#replicate(bucket, lake.replica, keys);
    return bucket;
  }

  /**
   * Everything but query results and errors goes to the bucket in the other region, and is encrypted there by that
   * region's key.
   */
  #replicate(
    bucket: s3.IBucket,
    replica: NonNullable<Environment["lake"]["replica"]>,
    keys: SecurityStack["keys"],
  ): void {
    const role = new iam.Role(this, "ReplicationRole", {
      assumedBy: new iam.ServicePrincipal("s3.amazonaws.com"),
      description: "copies the lake to another region",
    });
    role.addToPolicy(
      new iam.PolicyStatement({
        actions: ["s3:GetReplicationConfiguration", "s3:ListBucket"],
        resources: [bucket.bucketArn],
      }),
    );
    role.addToPolicy(
      new iam.PolicyStatement({
        actions: ["s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl", "s3:GetObjectVersionTagging"],
        resources: [bucket.arnForObjects("*")],
      }),
    );
    role.addToPolicy(
      new iam.PolicyStatement({
        actions: ["s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags"],
        resources: [`${replica.bucketArn}/*`],
      }),
    );
    role.addToPolicy(new iam.PolicyStatement({ actions: ["kms:Encrypt"], resources: [replica.keyArn] }));
    allowKey(role, keys.readings, "s3", ["Decrypt"]);
    acknowledgeWildcards(role, { "/*": "replication reads every object of the one bucket and writes it to the other" });
    const resource = bucket.node.defaultChild as s3.CfnBucket;
    resource.replicationConfiguration = {
      role: role.roleArn,
      rules: ["tables/", "features/"].map((prefix, priority) => ({
        id: prefix.slice(0, -1),
        status: "Enabled",
        priority,
        filter: { prefix },
        deleteMarkerReplication: { status: "Disabled" },
        sourceSelectionCriteria: { sseKmsEncryptedObjects: { status: "Enabled" } },
        destination: {
          bucket: replica.bucketArn,
          storageClass: "GLACIER_IR",
          encryptionConfiguration: { replicaKmsKeyId: replica.keyArn },
        },
      })),
    };
  }

  #athena({ keys }: SecurityStack): athena.CfnWorkGroup {
    const workGroup = new athena.CfnWorkGroup(this, "WorkGroup", {
      name: resourceName(this.config, "analysts"),
      description: "queries of the lake, with a limit to what one may scan",
      recursiveDeleteOption: !this.config.retainData,
      workGroupConfiguration: {
        enforceWorkGroupConfiguration: true,
        publishCloudWatchMetricsEnabled: true,
        bytesScannedCutoffPerQuery: this.config.lake.queryScanLimitGiB * 1_073_741_824,
        engineVersion: { selectedEngineVersion: "Athena engine version 3" },
        resultConfiguration: {
          outputLocation: `s3://${this.bucket.bucketName}/query-results/`,
          encryptionConfiguration: { encryptionOption: "SSE_KMS", kmsKey: keys.readings.keyArn },
        },
      },
    });
    for (const [name, { description, sql }] of Object.entries(namedQueries)) {
      const query = new athena.CfnNamedQuery(this, `Query-${name}`, {
        name,
        description,
        database: lakeDatabaseName(this.config),
        queryString: sql,
        workGroup: workGroup.name,
      });
      query.addResourceDependency(workGroup);
    }
    return workGroup;
  }

  #features({ keys }: SecurityStack): sagemaker.CfnFeatureGroup {
    const role = new iam.Role(this, "FeatureStoreRole", {
      assumedBy: new iam.ServicePrincipal("sagemaker.amazonaws.com", {
        conditions: { StringEquals: { "aws:SourceAccount": this.account } },
      }),
      description: "writes the offline feature store to the lake",
    });
    role.addToPolicy(
      new iam.PolicyStatement({
        actions: ["s3:GetBucketAcl", "s3:GetBucketLocation"],
        resources: [this.bucket.bucketArn],
      }),
    );
    role.addToPolicy(
      new iam.PolicyStatement({ actions: ["s3:PutObject"], resources: [this.bucket.arnForObjects("features/*")] }),
    );
    allowKey(role, keys.readings, "s3", ["Decrypt", "GenerateDataKey"]);
    acknowledgeWildcards(role, { "/features/*": "Feature Store names the objects below features/ itself" });
    const group = new sagemaker.CfnFeatureGroup(this, "FeatureGroup", {
      featureGroupName: featureGroupName(this.config.name),
      description: "the newest window of each sensor",
      recordIdentifierFeatureName: RECORD_IDENTIFIER_FEATURE,
      eventTimeFeatureName: EVENT_TIME_FEATURE,
      featureDefinitions: features.map(({ name, type }) => ({ featureName: name, featureType: type })),
      onlineStoreConfig: {
        EnableOnlineStore: true,
        SecurityConfig: { KmsKeyId: keys.readings.keyArn },
        TtlDuration: { Unit: "Days", Value: this.config.features.onlineTtlDays },
      },
      offlineStoreConfig: {
        S3StorageConfig: { S3Uri: `s3://${this.bucket.bucketName}/features`, KmsKeyId: keys.readings.keyArn },
        TableFormat: "Iceberg",
      },
      roleArn: role.roleArn,
    });
    group.applyRemovalPolicy(this.dataRemovalPolicy);
    // The service checks its access to the bucket when the group is made.
    group.node.addDependency(role);
    return group;
  }

  /** Who read or wrote which object of the lake. */
  #auditTrail(accessLogs: s3.IBucket, { keys }: SecurityStack): void {
    const bucket = this.#bucket("audit", {
      encryption: s3.BucketEncryption.KMS,
      encryptionKey: keys.readings,
      bucketKeyEnabled: true,
      versioned: true,
      serverAccessLogsBucket: accessLogs,
      serverAccessLogsPrefix: "audit/",
      lifecycleRules: [
        {
          transitions: [
            { storageClass: s3.StorageClass.GLACIER_INSTANT_RETRIEVAL, transitionAfter: Duration.days(90) },
          ],
          expiration: Duration.days(2_557),
        },
      ],
    });
    const trail = new cloudtrail.Trail(this, "AuditTrail", {
      trailName: resourceName(this.config, "lake"),
      bucket,
      encryptionKey: keys.readings,
      enableFileValidation: true,
      isMultiRegionTrail: false,
      includeGlobalServiceEvents: false,
      managementEvents: cloudtrail.ReadWriteType.NONE,
    });
    trail.addS3EventSelector([{ bucket: this.bucket }], {
      readWriteType: cloudtrail.ReadWriteType.ALL,
      includeManagementEvents: false,
    });
  }
}

/** Queries that an analyst finds in the work group. */
const namedQueries = {
  "windows-of-a-sensor": {
    description: "statistics of one sensor's windows on one day",
    sql: "SELECT window_start, count, accmag.mean AS acceleration_mean, accmag.std AS acceleration_std\nFROM aggregated_exact\nWHERE dt = '2026-01-01' AND sensor_id = 's01-sw'\nORDER BY window_start",
  },
  "sessions-by-length": {
    description: "longest sessions of one day",
    sql: "SELECT session_id, sensor_id, (\"end\" - start) / 1000 AS seconds, samples\nFROM sessions_exact\nWHERE dt = '2026-01-01' AND type = 'ended'\nORDER BY seconds DESC\nLIMIT 100",
  },
  "late-by-sensor": {
    description: "which sensors are late, by hour",
    sql: "SELECT dt, hour, sensor_id, count(*) AS records, sum(cardinality(t)) AS readings\nFROM late_exact\nWHERE dt >= '2026-01-01'\nGROUP BY dt, hour, sensor_id\nORDER BY readings DESC\nLIMIT 100",
  },
  "activity-per-day": {
    description: "how long each activity was recognised",
    sql: "SELECT dt, label, sum(window_end - window_start) / 3600000 AS hours\nFROM inference_exact\nWHERE dt >= '2026-01-01'\nGROUP BY dt, label\nORDER BY dt, hours DESC",
  },
} as const;
