import type { Environment } from "../../config/schema.ts";
import { deliveryStreamName } from "../../domain/names.ts";
import { tables } from "../../domain/tables.ts";
import { inventoryOf, type BilledResource } from "../cost/inventory.ts";
import { resourceName } from "../names.ts";

/** What an account and region have, before anything is deployed there. */
export interface AccountFacts {
  /** Lambda's quota of concurrent executions. */
  readonly concurrentExecutions: number;
  /** Version of the CDK's bootstrap stack; `null`: the account is not bootstrapped in this region. */
  readonly bootstrapVersion: number | null;
  /** Names of the CloudFormation stacks, each with its status. */
  readonly stacks: ReadonlyMap<string, string>;
  readonly tables: readonly string[];
  readonly buckets: readonly string[];
  /** Whether the replica's bucket keeps versions; `null`: there is none, or the config names none. */
  readonly replicaVersioned: boolean | null;
  /** Ids of the zones that are available. */
  readonly zones: readonly string[];
  /** VPCs and elastic addresses that are there. */
  readonly vpcs: number;
  readonly addresses: number;
  /** Values of `quotas`. */
  readonly quotas: Readonly<Record<QuotaName, number>>;
  /** Whether ECS has its service-linked role. */
  readonly ecsRole: boolean;
  /** Whether API Gateway has a role for logs, or the environment makes it. */
  readonly apiLogRole: boolean;
  /** Whether IoT Core's log has options, or the environment makes them: without, it refuses the level of a group. */
  readonly iotLog: boolean;
}

/**
 * Quotas that are read, with their names at AWS.
 * https://docs.aws.amazon.com/general/latest/gr/aws-service-information.html
 */
export const quotas = {
  "Fargate On-Demand vCPU resource count": { service: "fargate", code: "L-3032A538" },
  "VPCs per Region": { service: "vpc", code: "L-F678F1CE" },
  "EC2-VPC Elastic IPs": { service: "ec2", code: "L-0263D0A3" },
} as const;
export type QuotaName = keyof typeof quotas;

/** https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html */
const UNRESERVED_AT_LEAST = 100;
/** https://docs.aws.amazon.com/cdk/v2/guide/bootstrapping-env.html: the assets' roles and the version parameter. */
const BOOTSTRAP_AT_LEAST = 6;
/** A delivery stream's MiB a second of direct puts. https://docs.aws.amazon.com/firehose/latest/dev/limits.html */
const firehoseMiB: Readonly<Record<string, number>> = { "us-east-1": 5, "us-west-2": 5, "eu-west-1": 5 };
const FIREHOSE_MIB_ELSEWHERE = 1;
/** A packed message of a second at 200 Hz as a row of `raw`: base64 of its payload, and what the row says of it. */
export const RAW_ROW_BYTES = 7_137;
/** Stacks in these states take no update. */
const STUCK = /^(ROLLBACK_COMPLETE|.*_FAILED)$/;

/**
 * What is missing in an account before an environment can be deployed, one sentence each with what to do. What was not
 * read is not missed.
 *
 * @param resources Resources of the environment's templates.
 */
export function missing(
  config: Environment,
  resources: readonly BilledResource[],
  facts: Partial<AccountFacts>,
): string[] {
  return [
    ...bootstrap(facts),
    ...concurrency(resources, facts),
    ...stuckStacks(config, facts),
    ...keptNames(config, facts),
    ...replica(config, facts),
    ...zones(config, facts),
    ...tooFew(config, resources, facts),
    ...accountSettings(facts),
  ];
}

function bootstrap({ bootstrapVersion }: Partial<AccountFacts>): string[] {
  if (bootstrapVersion === undefined) return [];
  if (bootstrapVersion !== null && bootstrapVersion >= BOOTSTRAP_AT_LEAST) return [];
  const found = bootstrapVersion === null ? "is not bootstrapped" : `has bootstrap version ${bootstrapVersion}`;
  return [`the account ${found} in this region, ${BOOTSTRAP_AT_LEAST} is needed: npx cdk bootstrap`];
}

function concurrency(resources: readonly BilledResource[], { concurrentExecutions }: Partial<AccountFacts>): string[] {
  if (concurrentExecutions === undefined) return [];
  const reserved = resources
    .filter(({ Type }) => Type === "AWS::Lambda::Function")
    .reduce((sum, { Properties }) => sum + Number(Properties?.["ReservedConcurrentExecutions"] ?? 0), 0);
  if (reserved === 0 || concurrentExecutions - reserved >= UNRESERVED_AT_LEAST) return [];
  return [
    `Lambda's quota of concurrent executions is ${concurrentExecutions}; the functions reserve ${reserved}, and ` +
      `${UNRESERVED_AT_LEAST} must stay unreserved: raise the quota, or set functions.reserveConcurrency to false`,
  ];
}

function stuckStacks(config: Environment, { stacks = new Map() }: Partial<AccountFacts>): string[] {
  return [...stacks]
    .filter(([name, status]) => name.startsWith(resourceName(config, "")) && STUCK.test(status))
    .map(([name, status]) => `the stack ${name} is ${status} and takes no update: delete it, or end its rollback`);
}

/** Names that a former deployment has kept: CloudFormation makes nothing under a name that is taken. */
function keptNames(config: Environment, { stacks, tables = [], buckets = [] }: Partial<AccountFacts>): string[] {
  if (stacks === undefined) return [];
  const prefix = resourceName(config, "");
  const isThere = (stack: string): boolean => stacks.has(resourceName(config, stack));
  return [
    ...tables
      .filter((name) => name.startsWith(prefix) && !isThere("state"))
      .map((name) => `the table ${name} is there, and its stack is not: delete it, or import it into the stack`),
    ...buckets
      .filter((name) => name.startsWith(prefix) && name !== replicaName(config))
      .filter(() => !["lake", "state", "web"].some(isThere))
      .map((name) => `the bucket ${name} is there, and its stack is not: delete it, or import it into the stack`),
  ];
}

function replicaName({ lake }: Environment): string | undefined {
  return lake.replica?.bucketArn.split(":::")[1];
}

function replica(config: Environment, { replicaVersioned }: Partial<AccountFacts>): string[] {
  const name = replicaName(config);
  if (name === undefined || replicaVersioned === undefined || replicaVersioned) return [];
  return [
    replicaVersioned === null
      ? `the replica's bucket ${name} is not there, or is not yours: make it beforehand, versioned`
      : `the replica's bucket ${name} keeps no versions: replication needs them`,
  ];
}

function zones({ region, zones: wanted }: Environment, { zones: found }: Partial<AccountFacts>): string[] {
  const absent = found === undefined ? [] : wanted.filter((zone) => !found.includes(zone));
  return absent.map(
    (zone) => `the zone ${zone} is not available to this account in ${region}, which has ${found?.join(", ")}`,
  );
}

/** Quotas that what is there and what would be made exceed. */
function tooFew(
  config: Environment,
  resources: readonly BilledResource[],
  { quotas: values, vpcs, addresses, stacks }: Partial<AccountFacts>,
): string[] {
  if (values === undefined || stacks === undefined) return [];
  const { vcpus, natGateways } = inventoryOf(resources, config);
  const isDeployed = stacks.has(resourceName(config, "network"));
  const needed: Partial<Record<QuotaName, number | undefined>> = {
    // Beside the services, a task of an operator's command has one.
    "Fargate On-Demand vCPU resource count": vcpus + 1,
    ...(isDeployed || vpcs === undefined ? {} : { "VPCs per Region": vpcs + 1 }),
    ...(isDeployed || addresses === undefined ? {} : { "EC2-VPC Elastic IPs": addresses + natGateways }),
  };
  return (Object.entries(needed) as [QuotaName, number][])
    .filter(([name, count]) => count > values[name])
    .map(([name, count]) => {
      const { service, code } = quotas[name];
      return (
        `the quota "${name}" is ${values[name]}, and ${count} are needed with what the account has: ` +
        `aws service-quotas request-service-quota-increase --service-code ${service} --quota-code ${code} ` +
        `--desired-value ${count} --region ${config.region}`
      );
    });
}

/** What exists once in an account. */
function accountSettings({ ecsRole, apiLogRole, iotLog }: Partial<AccountFacts>): string[] {
  const ofOwner = "deploy the environment with ownsAccountSettings first";
  return [
    ...(ecsRole === false
      ? ["ECS has no service-linked role: aws iam create-service-linked-role --aws-service-name ecs.amazonaws.com"]
      : []),
    ...(apiLogRole === false ? [`API Gateway has no role for logs, which stages with logs need: ${ofOwner}`] : []),
    ...(iotLog === false
      ? [`IoT Core's log has no options, and refuses the level of a group without them: ${ofOwner}`]
      : []),
  ];
}

/** What the command does not read, each with the call that does. */
export function toLookAt(config: Environment): string[] {
  const deliveryMiB = firehoseMiB[config.region] ?? FIREHOSE_MIB_ELSEWHERE;
  return [
    `Firehose's quota, ${deliveryMiB} MiB/s a stream in ${config.region} until it is raised: the stream ` +
      `${deliveryStreamName(config.name, tables.raw.name)} reaches it at ` +
      `${Math.floor((deliveryMiB * 2 ** 20) / RAW_ROW_BYTES)} sensors that send 200 readings a second, packed: ` +
      "aws service-quotas list-service-quotas --service-code firehose",
    ...(config.budget === null
      ? []
      : [
          "the cost allocation tag environment is active in the account that pays, or the budget stays at 0 (a tag " +
            "can be activated a day after its first resource): aws ce list-cost-allocation-tags " +
            "--tag-keys environment " +
            "(not there: aws ce update-cost-allocation-tags-status " +
            "--cost-allocation-tags-status TagKey=environment,Status=Active)",
        ]),
    ...(config.ownsAccountSettings
      ? ["no other environment of this account and region owns the account's settings (ownsAccountSettings)"]
      : []),
  ];
}
