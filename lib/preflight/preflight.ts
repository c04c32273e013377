import { replacements, type Deployed } from "../../config/rules/deployed.ts";
import { clashes } from "../../config/rules/shared-account.ts";
import type { Environment } from "../../config/schema.ts";
import { deliveryStreamName } from "../../domain/names.ts";
import { tables } from "../../domain/tables.ts";
import { inventoryOf, type BilledResource } from "../cost/inventory.ts";
import { resourceName } from "../names.ts";
import { serviceRoles } from "../service-roles.ts";

/** What an account and region have, before anything is deployed there. */
export interface AccountFacts {
  /** Lambda's quota of concurrent executions. */
  readonly concurrentExecutions: number;
  /** Version of the CDK's bootstrap stack; `null`: the account is not bootstrapped in this region. */
  readonly bootstrapVersion: number | null;
  /** Names of the CloudFormation stacks, each with its status. */
  readonly stacks: ReadonlyMap<string, string>;
  /** The account, where a stack of it names it; `null` where there is none yet. */
  readonly account: string | null;
  /** What the environment is deployed with, as its stack `network` says; `null`: it is not there, or too old to say. */
  readonly deployed: Deployed | null;
  readonly tables: readonly string[];
  readonly buckets: readonly string[];
  readonly featureGroups: readonly string[];
  readonly eventBuses: readonly string[];
  /** Whether the replica's bucket keeps versions; `null`: there is none, or the config names none. */
  readonly replicaVersioned: boolean | null;
  /** Ids of the zones that are available. */
  readonly zones: readonly string[];
  /** VPCs and elastic addresses that are there. */
  readonly vpcs: number;
  readonly addresses: number;
  /** Values of `quotas`. */
  readonly quotas: Readonly<Record<QuotaName, number>>;
  /** Names of those of `serviceRoles` that are there. */
  readonly serviceRoles: readonly string[];
  /** ARN of API Gateway's role for the logs of all APIs of account and region; `null`: it has none. */
  readonly apiLogRole: string | null;
  /** ARN of the role of IoT Core's log; `null`: it has no options, and refuses the level of a group. */
  readonly iotLogRole: string | null;
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
 * @param others The environments that have a config.
 */
export function missing(
  config: Environment,
  resources: readonly BilledResource[],
  facts: Partial<AccountFacts>,
  others: readonly Environment[] = [],
): string[] {
  return [
    ...bootstrap(facts),
    ...account(config, facts, others),
    ...lost(config, facts),
    ...concurrency(resources, facts),
    ...stuckStacks(config, facts),
    ...keptNames(config, facts),
    ...replica(config, facts),
    ...zones(config, facts),
    ...tooFew(config, resources, facts),
    ...absentServiceRoles(resources, facts),
    ...accountSettings(config, facts),
  ];
}

function bootstrap({ bootstrapVersion }: Partial<AccountFacts>): string[] {
  if (bootstrapVersion === undefined) return [];
  if (bootstrapVersion !== null && bootstrapVersion >= BOOTSTRAP_AT_LEAST) return [];
  const found = bootstrapVersion === null ? "is not bootstrapped" : `has bootstrap version ${bootstrapVersion}`;
  return [`the account ${found} in this region, ${BOOTSTRAP_AT_LEAST} is needed: npx cdk bootstrap`];
}

function account(config: Environment, facts: Partial<AccountFacts>, others: readonly Environment[]): string[] {
  const found = facts.account ?? undefined;
  if (found === undefined) return [];
  if (config.account !== undefined && config.account !== found)
    return [`the credentials are of the account ${found}, and the config names ${config.account}`];
  return clashes(config, others, found);
}

/** What a deployment would replace, with its data. The config protects what has been copied into it alone. */
function lost(config: Environment, { deployed }: Partial<AccountFacts>): string[] {
  if (!config.retainData || !deployed || config.deployed !== null) return [];
  const written = JSON.stringify(deployed);
  return [
    ...replacements(config, deployed),
    `the environment is deployed and keeps its data, and its config does not say with what: add deployed: ${written}`,
  ];
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

/** What a former deployment may have kept, with the stacks that have such. */
const keepers = {
  tables: { what: "table", stacks: ["state"] },
  buckets: { what: "bucket", stacks: ["lake", "state", "web"] },
  featureGroups: { what: "feature group", stacks: ["lake"] },
  eventBuses: { what: "event bus", stacks: ["market"] },
} as const satisfies Partial<Record<keyof AccountFacts, unknown>>;

/** Names that a former deployment has kept: CloudFormation makes nothing under a name that is taken. */
function keptNames(config: Environment, { stacks, ...facts }: Partial<AccountFacts>): string[] {
  if (stacks === undefined) return [];
  const prefix = resourceName(config, "");
  return Object.entries(keepers)
    .filter(([, { stacks: names }]) => !names.some((name) => stacks.has(resourceName(config, name))))
    .flatMap(([of, { what }]) =>
      (facts[of as keyof typeof keepers] ?? [])
        .filter((name) => name.startsWith(prefix) && name !== replicaName(config))
        .map((name) => `the ${what} ${name} is there, and its stack is not: delete it, or import it into the stack`),
    );
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

/** A resource that needs a service's role is refused while IAM spreads one that was made with it. */
function absentServiceRoles(
  resources: readonly BilledResource[],
  { serviceRoles: found }: Partial<AccountFacts>,
): string[] {
  if (found === undefined) return [];
  const types = new Set(resources.map(({ Type }) => Type));
  return Object.entries(serviceRoles)
    .filter(([type, { roleName }]) => types.has(type) && !found.includes(roleName))
    .map(
      ([type, { service, roleName }]) =>
        `the service-linked role ${roleName}, which ${type} needs, is not there: ` +
        `aws iam create-service-linked-role --aws-service-name ${service}`,
    );
}

/** What exists once in an account and region, and what an environment that owns it would take from somebody else. */
function accountSettings(config: Environment, { apiLogRole, iotLogRole }: Partial<AccountFacts>): string[] {
  const settings = [
    { role: apiLogRole, what: "API Gateway's role for logs", needs: "which stages with logs need" },
    { role: iotLogRole, what: "IoT Core's log", needs: "without which it refuses the level of a group" },
  ];
  return settings.flatMap(({ role, what, needs }) => {
    if (role === undefined) return [];
    if (role === null)
      return config.ownsAccountSettings
        ? []
        : [`${what}, ${needs}, is not set: deploy the environment with ownsAccountSettings first`];
    const isOwn = role.split("/").at(-1)!.startsWith(resourceName(config, ""));
    return config.ownsAccountSettings && !isOwn
      ? [
          `${what} is ${role}, which is not this environment's: it would be replaced, and be gone with this ` +
            "environment; set ownsAccountSettings to false, or take it away first",
        ]
      : [];
  });
}

/** What the command does not read, each with the call that does. */
export function toLookAt(config: Environment): string[] {
  const deliveryMiB = firehoseMiB[config.region] ?? FIREHOSE_MIB_ELSEWHERE;
  const streams = config.lake.streams.raw ?? 1;
  return [
    `Firehose's quota, ${deliveryMiB} MiB/s a stream in ${config.region} until it is raised: ` +
      `${streams === 1 ? "the stream" : `the ${streams} streams of`} ` +
      `${deliveryStreamName(config.name, tables.raw.name)} reach${streams === 1 ? "es" : ""} it at ` +
      `${Math.floor((streams * deliveryMiB * 2 ** 20) / RAW_ROW_BYTES)} sensors that send 200 readings a second, ` +
      "packed (more streams: lake.streams): " +
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
    // https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/troubleshooting-distributions.html
    "CloudFront makes distributions for verified accounts alone: in a new account the stack web may end with " +
      '"Your account must be verified", which AWS Support does',
    ...(config.retainData
      ? [
          "no cluster of this name is kept from a former deployment: aws kafka list-clusters-v2 " +
            `--cluster-name-filter ${resourceName(config, "kafka")}`,
        ]
      : []),
  ];
}
