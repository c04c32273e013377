import {
  type aws_docdb as docdb,
  aws_dynamodb as dynamodb,
  type aws_kms as kms,
  aws_s3 as s3,
  type aws_secretsmanager as secretsmanager,
  CfnOutput,
  Duration,
} from "aws-cdk-lib";
import type { Construct } from "constructs";
import type { Environment } from "../../config/schema.ts";
import { dynamoAttributes, dynamoTableName, type dynamoTables } from "../../domain/names.ts";
import { MillraceStack } from "../constructs/millrace-stack.ts";
import { bucketName } from "../names.ts";
import { acknowledge } from "../reusable/acknowledge.ts";
import { documentDatabase } from "./document-database.ts";
import type { NetworkStack } from "./network.ts";
import type { SecurityStack } from "./security.ts";

/** What programs read and write besides Kafka: DynamoDB tables, the bucket of models, the document database. */
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
    const { cluster, secret } = documentDatabase(this, network, security);
    this.documents = cluster;
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
      S1:
        "a handful of small models, read by the processor's tasks when they start; " +
        "versions and CloudTrail's management events say who changed one",
    });
    return bucket as s3.IBucket;
  }
}
