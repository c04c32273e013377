import {
  Aws,
  type aws_dynamodb as dynamodb,
  aws_iam as iam,
  type aws_kms as kms,
  type aws_s3 as s3,
  type aws_secretsmanager as secretsmanager,
} from "aws-cdk-lib";

/** Allows actions on resources. The statement has no `sid`, so that the CDK can merge it with equal ones. */
export function allow(
  grantee: iam.IGrantable,
  actions: readonly string[],
  resources: readonly string[],
  conditions?: Record<string, Record<string, string>>,
): void {
  grantee.grantPrincipal.addToPrincipalPolicy(
    new iam.PolicyStatement({
      actions: [...actions],
      resources: [...resources],
      ...(conditions ? { conditions } : {}),
    }),
  );
}

/** Lets the caller use a key through one service alone, which does so on the caller's behalf. */
export function allowKey(
  grantee: iam.IGrantable,
  key: kms.IKey,
  service: "dynamodb" | "s3" | "secretsmanager" | "firehose" | "sagemaker" | "sqs" | "sns",
  actions: readonly ("Encrypt" | "Decrypt" | "GenerateDataKey" | "DescribeKey" | "ReEncryptFrom" | "ReEncryptTo")[],
): void {
  allow(
    grantee,
    actions.map((action) => `kms:${action}`),
    [key.keyArn],
    { StringEquals: { "kms:ViaService": `${service}.${Aws.REGION}.amazonaws.com` } },
  );
}

export type TableAction = "GetItem" | "PutItem" | "UpdateItem" | "DeleteItem" | "Scan" | "Query" | "DescribeTable";

/** Allows these actions on one table, or on what conditions leave of it, and the use of its key. */
export function allowTable(
  grantee: iam.IGrantable,
  table: dynamodb.ITable,
  key: kms.IKey,
  actions: readonly TableAction[],
  conditions?: Record<string, Record<string, string>>,
): void {
  allow(
    grantee,
    actions.map((action) => `dynamodb:${action}`),
    [table.tableArn],
    conditions,
  );
  allowKey(grantee, key, "dynamodb", [
    "Encrypt",
    "Decrypt",
    "ReEncryptFrom",
    "ReEncryptTo",
    "GenerateDataKey",
    "DescribeKey",
  ]);
}

/** Allows reading and listing a bucket's objects. */
export function allowReadBucket(grantee: iam.IGrantable, bucket: s3.IBucket, key: kms.IKey): void {
  allow(grantee, ["s3:GetObject"], [bucket.arnForObjects("*")]);
  allow(grantee, ["s3:ListBucket"], [bucket.bucketArn]);
  allowKey(grantee, key, "s3", ["Decrypt"]);
}

/** Allows reading one secret. */
export function allowSecret(grantee: iam.IGrantable, secret: secretsmanager.ISecret, key: kms.IKey): void {
  allow(grantee, ["secretsmanager:GetSecretValue"], [secret.secretArn]);
  allowKey(grantee, key, "secretsmanager", ["Decrypt"]);
}
