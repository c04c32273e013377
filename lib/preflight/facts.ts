import { APIGatewayClient, GetAccountCommand } from "@aws-sdk/client-api-gateway";
import { CloudFormationClient, paginateDescribeStacks } from "@aws-sdk/client-cloudformation";
import { DynamoDBClient, paginateListTables } from "@aws-sdk/client-dynamodb";
import {
  DescribeAddressesCommand,
  DescribeAvailabilityZonesCommand,
  DescribeVpcsCommand,
  EC2Client,
} from "@aws-sdk/client-ec2";
import { GetRoleCommand, IAMClient } from "@aws-sdk/client-iam";
import { GetV2LoggingOptionsCommand, IoTClient } from "@aws-sdk/client-iot";
import { GetAccountSettingsCommand, LambdaClient } from "@aws-sdk/client-lambda";
import { GetBucketVersioningCommand, ListBucketsCommand, S3Client } from "@aws-sdk/client-s3";
import { GetServiceQuotaCommand, ServiceQuotasClient } from "@aws-sdk/client-service-quotas";
import type { Environment } from "../../config/schema.ts";
import { quotas, type AccountFacts, type QuotaName } from "./preflight.ts";

type Reads = { readonly [K in keyof AccountFacts]: () => Promise<AccountFacts[K]> };

/** What could be read of an account, and a sentence for each thing that could not. */
export interface ReadFacts {
  readonly facts: Partial<AccountFacts>;
  readonly unread: readonly string[];
}

/** Reads what an account has in the environment's region. It changes nothing. */
export async function readFacts(config: Environment): Promise<ReadFacts> {
  const found = await Promise.all(
    Object.entries(reads(config)).map(async ([name, read]) => {
      try {
        return { name, value: await read() };
      } catch (error) {
        return { name, error: error as Error };
      }
    }),
  );
  return {
    facts: Object.fromEntries(found.flatMap(({ name, value, error }) => (error ? [] : [[name, value]]))),
    unread: found.flatMap(({ name, error }) =>
      error ? [`${name} could not be read: ${error.name}: ${error.message}`] : [],
    ),
  };
}

function reads({ region, lake, ownsAccountSettings }: Environment): Reads {
  const ec2 = new EC2Client({ region });
  const stacks = readStacks(region);
  return {
    concurrentExecutions: async () => {
      const { AccountLimit } = await new LambdaClient({ region }).send(new GetAccountSettingsCommand({}));
      return AccountLimit?.ConcurrentExecutions ?? 0;
    },
    stacks: async () => new Map([...(await stacks)].map(([name, { status }]) => [name, status])),
    bootstrapVersion: async () => (await stacks).get("CDKToolkit")?.bootstrapVersion ?? null,
    tables: async () => {
      const tables: string[] = [];
      for await (const { TableNames = [] } of paginateListTables({ client: new DynamoDBClient({ region }) }, {}))
        tables.push(...TableNames);
      return tables;
    },
    buckets: async () => {
      const { Buckets = [] } = await new S3Client({ region }).send(new ListBucketsCommand({ BucketRegion: region }));
      return Buckets.flatMap(({ Name }) => (Name === undefined ? [] : [Name]));
    },
    replicaVersioned: async () => (lake.replica === null ? null : await isVersioned(lake.replica)),
    zones: async () => {
      const { AvailabilityZones = [] } = await ec2.send(new DescribeAvailabilityZonesCommand({}));
      return AvailabilityZones.filter(({ State }) => State === "available").flatMap(({ ZoneId }) => ZoneId ?? []);
    },
    vpcs: async () => (await ec2.send(new DescribeVpcsCommand({}))).Vpcs?.length ?? 0,
    addresses: async () => (await ec2.send(new DescribeAddressesCommand({}))).Addresses?.length ?? 0,
    quotas: async () => {
      const client = new ServiceQuotasClient({ region });
      const values = await Promise.all(
        Object.entries(quotas).map(async ([name, { service, code }]): Promise<[string, number]> => {
          const command = new GetServiceQuotaCommand({ ServiceCode: service, QuotaCode: code });
          return [name, (await client.send(command)).Quota?.Value ?? 0];
        }),
      );
      return Object.fromEntries(values) as Record<QuotaName, number>;
    },
    ecsRole: () => isThere(new IAMClient({ region }).send(new GetRoleCommand({ RoleName: "AWSServiceRoleForECS" }))),
    // Who owns the account's settings makes both.
    apiLogRole: async () =>
      ownsAccountSettings ||
      (await new APIGatewayClient({ region }).send(new GetAccountCommand({}))).cloudwatchRoleArn !== undefined,
    iotLog: async () =>
      ownsAccountSettings || isThere(new IoTClient({ region }).send(new GetV2LoggingOptionsCommand({}))),
  };
}

async function readStacks(
  region: string,
): Promise<ReadonlyMap<string, { readonly status: string; readonly bootstrapVersion: number | null }>> {
  const stacks = new Map<string, { status: string; bootstrapVersion: number | null }>();
  for await (const { Stacks = [] } of paginateDescribeStacks({ client: new CloudFormationClient({ region }) }, {}))
    for (const { StackName, StackStatus, Outputs = [] } of Stacks) {
      if (StackName === undefined || StackStatus === undefined) continue;
      const version = Outputs.find(({ OutputKey }) => OutputKey === "BootstrapVersion")?.OutputValue;
      stacks.set(StackName, {
        status: StackStatus,
        bootstrapVersion: version === undefined ? null : Number(version),
      });
    }
  return stacks;
}

/** False where the service says that there is none. */
async function isThere(answer: Promise<unknown>): Promise<boolean> {
  try {
    await answer;
    return true;
  } catch (error) {
    if (["NoSuchEntity", "NoSuchEntityException", "NotConfiguredException"].includes((error as Error).name))
      return false;
    throw error;
  }
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
