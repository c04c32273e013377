import {
  aws_docdb as docdb,
  aws_dynamodb as dynamodb,
  aws_ec2 as ec2,
  type aws_kms as kms,
  aws_logs as logs,
  aws_s3 as s3,
  aws_secretsmanager as secretsmanager,
  CfnOutput,
  Duration,
  RemovalPolicy,
} from "aws-cdk-lib";
import type { Construct } from "constructs";
import type { Environment } from "../../config/schema.ts";
import { dynamoAttributes, dynamoTableName, type dynamoTables } from "../../domain/names.ts";
import { acknowledge, acknowledgeLint } from "../constructs/acknowledge.ts";
import { bucketName, resourceName } from "../names.ts";
import type { NetworkStack } from "./network.ts";
import type { SecurityStack } from "./security.ts";
import { MillraceStack } from "./stack.ts";

/** What a MongoDB connection string would read as its own. */
const PASSWORD_EXCLUDES = '"@/:%?#[]';

/** What the running platform remembers: tables, models, the document database. */
export class StateStack extends MillraceStack {
  readonly tables: Readonly<Record<keyof typeof dynamoTables, dynamodb.ITable>>;
  readonly models: s3.IBucket;
  readonly documents: docdb.DatabaseCluster;
  readonly documentsSecret: secretsmanager.ISecret;

  constructor(
    scope: Construct,
    id: string,
    config: Environment,
    { network, security }: { readonly network: NetworkStack; readonly security: SecurityStack },
  ) {
    super(scope, id, { config, stateful: true, description: "tables, models, document database" });
    this.tables = Object.fromEntries(
      (Object.keys(dynamoAttributes) as (keyof typeof dynamoTables)[]).map((name) => [
        name,
        this.#table(name, security.keys.state),
      ]),
    ) as Record<keyof typeof dynamoTables, dynamodb.ITable>;
    this.models = this.#models(security.keys.state);
    this.documents = this.#documents(network, security);
    const { secret } = this.documents;
    if (!secret) throw new Error("the document database has no secret");
    this.documentsSecret = secret;
    new CfnOutput(this, "ModelsBucket", {
      value: this.models.bucketName,
      description: "bucket that models are uploaded to",
    });
  }

  #table(name: keyof typeof dynamoTables, key: kms.IKey): dynamodb.ITable {
    const { key: partitionKey, ttl } = { ttl: undefined, ...dynamoAttributes[name] };
    return new dynamodb.Table(this, `Table-${name}`, {
      tableName: dynamoTableName(this.config.name, name),
      partitionKey: { name: partitionKey, type: dynamodb.AttributeType.STRING },
      ...(ttl ? { timeToLiveAttribute: ttl } : {}),
      billingMode: dynamodb.BillingMode.PAY_PER_REQUEST,
      encryption: dynamodb.TableEncryption.CUSTOMER_MANAGED,
      encryptionKey: key,
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      deletionProtection: this.config.retainData,
      removalPolicy: this.dataRemovalPolicy,
    }) as dynamodb.ITable;
  }

  #models(key: kms.IKey): s3.IBucket {
    const bucket = new s3.Bucket(this, "Models", {
      bucketName: bucketName(this.config, "models"),
      encryption: s3.BucketEncryption.KMS,
      encryptionKey: key,
      bucketKeyEnabled: true,
      blockPublicAccess: s3.BlockPublicAccess.BLOCK_ALL,
      enforceSSL: true,
      versioned: true,
      objectOwnership: s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
      autoDeleteObjects: !this.config.retainData,
      lifecycleRules: [
        { abortIncompleteMultipartUploadAfter: Duration.days(1), noncurrentVersionExpiration: Duration.days(365) },
      ],
      removalPolicy: this.dataRemovalPolicy,
    });
    acknowledge(bucket, {
      S1: "a handful of small models, read by the processor's tasks when they start; versions and CloudTrail's management events say who changed one",
    });
    return bucket as s3.IBucket;
  }

  #documents(network: NetworkStack, { keys }: SecurityStack): docdb.DatabaseCluster {
    const { documents } = this.config;
    const parameterGroup = new docdb.ClusterParameterGroup(this, "DocumentsParameters", {
      family: "docdb5.0",
      description: "TLS only, with an audit log",
      parameters: { tls: "enabled", audit_logs: "all", profiler: "enabled", profiler_threshold_ms: "100" },
    });
    const cluster = new docdb.DatabaseCluster(this, "Documents", {
      dbClusterName: resourceName(this.config, "documents"),
      engineVersion: "5.0.0",
      masterUser: { username: "millrace", kmsKey: keys.secrets, excludeCharacters: PASSWORD_EXCLUDES },
      serverlessV2ScalingConfiguration: { minCapacity: documents.minCapacity, maxCapacity: documents.maxCapacity },
      instances: documents.instances,
      vpc: network.vpc,
      vpcSubnets: network.privateSubnets,
      securityGroup: network.securityGroups.documents,
      storageEncrypted: true,
      kmsKey: keys.state,
      parameterGroup,
      backup: { retention: Duration.days(documents.backupDays), preferredWindow: "02:00-03:00" },
      preferredMaintenanceWindow: "sun:03:30-sun:04:30",
      deletionProtection: this.config.retainData,
      copyTagsToSnapshot: true,
      removalPolicy: this.config.retainData ? RemovalPolicy.SNAPSHOT : RemovalPolicy.DESTROY,
      exportAuditLogsToCloudWatch: true,
      exportProfilerLogsToCloudWatch: true,
    });
    for (const log of ["audit", "profiler"]) {
      const logGroup = new logs.LogGroup(this, `DocumentsLogs-${log}`, {
        logGroupName: `/aws/docdb/${resourceName(this.config, "documents")}/${log}`,
        retention: this.config.logRetentionDays,
        removalPolicy: RemovalPolicy.DESTROY,
      });
      cluster.node.addDependency(logGroup);
    }
    acknowledge(cluster, {
      DOC2: "another port hides nothing from who is in the VPC; a security group lets in the functions that read and write sessions, and nobody else",
      DOC3: "user and password come from Secrets Manager, by a reference that the rule can't read",
      DOC5: "the exports are called audit and profiler now; audit_logs=all has the events that the rule looks for",
    });
    this.#instances(cluster);
    this.#rotation(cluster, network);
    return cluster;
  }

  /** A new password every month. The connections that this needs stand with all others in the network stack. */
  #rotation(cluster: docdb.DatabaseCluster, { vpc, privateSubnets, securityGroups }: NetworkStack): void {
    const fixed = (id: string, group: ec2.ISecurityGroup): ec2.ISecurityGroup =>
      ec2.SecurityGroup.fromSecurityGroupId(this, id, group.securityGroupId, { mutable: false });
    if (!cluster.secret) throw new Error("the document database has no secret");
    new secretsmanager.SecretRotation(this, "DocumentsRotation", {
      application: secretsmanager.SecretRotationApplication.MONGODB_ROTATION_SINGLE_USER,
      secret: cluster.secret,
      target: {
        connections: new ec2.Connections({
          defaultPort: ec2.Port.tcp(27_017),
          securityGroups: [fixed("DocumentsGroup", securityGroups.documents)],
        }),
      },
      vpc,
      vpcSubnets: privateSubnets,
      securityGroup: fixed("RotationGroup", securityGroups.rotation),
      automaticallyAfter: Duration.days(30),
      excludeCharacters: PASSWORD_EXCLUDES,
    });
  }

  /** The CDK makes no instances for a serverless cluster, and without one there is nothing to connect to. */
  #instances(cluster: docdb.DatabaseCluster): void {
    for (let n = 1; n <= this.config.documents.instances; n++) {
      const instance = new docdb.CfnDBInstance(this, `DocumentsInstance${n}`, {
        dbClusterIdentifier: cluster.clusterIdentifier,
        dbInstanceIdentifier: resourceName(this.config, `documents-${n}`),
        dbInstanceClass: "db.serverless",
        autoMinorVersionUpgrade: true,
        preferredMaintenanceWindow: "sun:05:00-sun:06:00",
      });
      instance.applyRemovalPolicy(RemovalPolicy.DESTROY);
      acknowledgeLint(
        instance,
        "E3620",
        "db.serverless is the class of DocumentDB Serverless, which the rule's list does not have yet",
      );
    }
  }
}
