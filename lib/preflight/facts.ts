import { APIGatewayClient, GetAccountCommand } from "@aws-sdk/client-api-gateway";
import { CloudFormationClient, paginateDescribeStacks } from "@aws-sdk/client-cloudformation";
import { DynamoDBClient, paginateListTables } from "@aws-sdk/client-dynamodb";
import {
  DescribeAddressesCommand,
  DescribeAvailabilityZonesCommand,
  DescribeVpcsCommand,
  EC2Client,
} from "@aws-sdk/client-ec2";
import { EventBridgeClient, ListEventBusesCommand } from "@aws-sdk/client-eventbridge";
import { GetRoleCommand, IAMClient } from "@aws-sdk/client-iam";
import { GetV2LoggingOptionsCommand, IoTClient } from "@aws-sdk/client-iot";
import { GetAccountSettingsCommand, LambdaClient } from "@aws-sdk/client-lambda";
import { GetBucketVersioningCommand, ListBucketsCommand, S3Client } from "@aws-sdk/client-s3";
import { paginateListFeatureGroups, SageMakerClient } from "@aws-sdk/client-sagemaker";
import { GetServiceQuotaCommand, ServiceQuotasClient } from "@aws-sdk/client-service-quotas";
import type { Deployed } from "../../config/rules/deployed.ts";
import type { Environment } from "../../config/schema.ts";
import { DEPLOYED_OUTPUT, resourceName } from "../names.ts";
import { serviceRoles } from "../service-roles.ts";
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

function reads(config: Environment): Reads {
  const { region, lake } = config;
  const ec2 = new EC2Client({ region });
  const stacks = readStacks(region);
  return {
    concurrentExecutions: async () => {
      const { AccountLimit } = await new LambdaClient({ region }).send(new GetAccountSettingsCommand({}));
      return AccountLimit?.ConcurrentExecutions ?? 0;
    },
    stacks: async () => new Map([...(await stacks)].map(([name, { status }]) => [name, status])),
    bootstrapVersion: async () => {
      const version = (await stacks).get("CDKToolkit")?.outputs.get("BootstrapVersion");
      return version === undefined ? null : Number(version);
    },
    // arn:aws:cloudformation:region:account:stack/name/id
    account: async () => [...(await stacks).values()][0]?.id.split(":")[4] ?? null,
    deployed: async () => {
      const text = (await stacks).get(resourceName(config, "network"))?.outputs.get(DEPLOYED_OUTPUT);
      return text === undefined ? null : (JSON.parse(text) as Deployed);
    },
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
    featureGroups: async () => {
      const names: string[] = [];
      const pages = paginateListFeatureGroups(
        { client: new SageMakerClient({ region }) },
        { NameContains: resourceName(config, "") },
      );
      for await (const { FeatureGroupSummaries = [] } of pages)
        names.push(...FeatureGroupSummaries.flatMap(({ FeatureGroupName }) => FeatureGroupName ?? []));
      return names;
    },
    eventBuses: async () => {
      const command = new ListEventBusesCommand({ NamePrefix: resourceName(config, ""), Limit: 100 });
      const { EventBuses = [] } = await new EventBridgeClient({ region }).send(command);
      return EventBuses.flatMap(({ Name }) => Name ?? []);
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
    serviceRoles: async () => {
      const iam = new IAMClient({ region });
      const found = await Promise.all(
        Object.values(serviceRoles).map(({ roleName }) =>
          unlessAbsent(iam.send(new GetRoleCommand({ RoleName: roleName }))),
        ),
      );
      return found.flatMap((answer) => answer?.Role?.RoleName ?? []);
    },
    apiLogRole: async () =>
      (await new APIGatewayClient({ region }).send(new GetAccountCommand({}))).cloudwatchRoleArn ?? null,
    iotLogRole: async () =>
      (await unlessAbsent(new IoTClient({ region }).send(new GetV2LoggingOptionsCommand({}))))?.roleArn ?? null,
  };
}

interface FoundStack {
  readonly id: string;
  readonly status: string;
  readonly outputs: ReadonlyMap<string, string>;
}

/** By name. */
async function readStacks(region: string): Promise<ReadonlyMap<string, FoundStack>> {
  const stacks = new Map<string, FoundStack>();
  for await (const { Stacks = [] } of paginateDescribeStacks({ client: new CloudFormationClient({ region }) }, {}))
    for (const { StackName, StackStatus, StackId = "", Outputs = [] } of Stacks) {
      if (StackName === undefined || StackStatus === undefined) continue;
      stacks.set(StackName, {
        id: StackId,
        status: StackStatus,
        outputs: new Map(Outputs.map(({ OutputKey = "", OutputValue = "" }) => [OutputKey, OutputValue])),
      });
    }
  return stacks;
}

/** Undefined where the service says that there is none. */
async function unlessAbsent<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (["NoSuchEntity", "NoSuchEntityException", "NotConfiguredException"].includes((error as Error).name))
      return undefined;
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
