import { CloudFormationClient, paginateDescribeStacks } from "@aws-sdk/client-cloudformation";
import { DynamoDBClient, paginateListTables } from "@aws-sdk/client-dynamodb";
import { GetAccountSettingsCommand, LambdaClient } from "@aws-sdk/client-lambda";
import { GetBucketVersioningCommand, ListBucketsCommand, S3Client } from "@aws-sdk/client-s3";
import type { Environment } from "../../config/schema.ts";
import type { AccountFacts } from "./preflight.ts";

/** Reads what an account has in the environment's region. It changes nothing. */
export async function readFacts({ region, lake }: Environment): Promise<AccountFacts> {
  const stacks = new Map<string, string>();
  let bootstrapVersion: number | null = null;
  for await (const { Stacks = [] } of paginateDescribeStacks({ client: new CloudFormationClient({ region }) }, {}))
    for (const { StackName, StackStatus, Outputs = [] } of Stacks) {
      if (StackName === undefined || StackStatus === undefined) continue;
      stacks.set(StackName, StackStatus);
      if (StackName !== "CDKToolkit") continue;
      const version = Outputs.find(({ OutputKey }) => OutputKey === "BootstrapVersion")?.OutputValue;
      bootstrapVersion = version === undefined ? null : Number(version);
    }
  const tables: string[] = [];
  for await (const { TableNames = [] } of paginateListTables({ client: new DynamoDBClient({ region }) }, {}))
    tables.push(...TableNames);
  const { AccountLimit } = await new LambdaClient({ region }).send(new GetAccountSettingsCommand({}));
  const { Buckets = [] } = await new S3Client({ region }).send(new ListBucketsCommand({ BucketRegion: region }));
  return {
    concurrentExecutions: AccountLimit?.ConcurrentExecutions ?? 0,
    bootstrapVersion,
    stacks,
    tables,
    buckets: Buckets.flatMap(({ Name }) => (Name === undefined ? [] : [Name])),
    replicaVersioned: lake.replica === null ? null : await isVersioned(lake.replica),
  };
}

async function isVersioned({
  bucketArn,
  keyArn,
}: NonNullable<Environment["lake"]["replica"]>): Promise<boolean | null> {
  // The key and the bucket are in the same region.
  const client = new S3Client({ region: keyArn.split(":")[3] ?? "" });
  try {
    const { Status } = await client.send(new GetBucketVersioningCommand({ Bucket: bucketArn.split(":::")[1] ?? "" }));
    return Status === "Enabled";
  } catch {
    return null;
  }
}
