import { defaultSemantics, type Semantics } from "../domain/imu.ts";
import { topics, type TopicKey } from "../domain/topics.ts";
import type { Environment } from "./schema.ts";
import { semanticsProblems } from "./settings.ts";

/** A path of a config as it is written: `network.peerCidrs[0]`. */
export function normalisedPath(path: readonly PropertyKey[]): string {
  return path.reduce<string>(
    (text, part) =>
      typeof part === "number" ? `${text}[${part}]` : text === "" ? String(part) : `${text}.${String(part)}`,
    "",
  );
}

/** First and last address of a CIDR block, as numbers. */
export function cidrRange(block: string): { first: number; last: number } {
  const [address = "", bits = "32"] = block.split("/");
  const size = 2 ** (32 - Number(bits));
  const value = address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
  const first = Math.floor(value / size) * size;
  return { first, last: first + size - 1 };
}

export function cidrsOverlap(a: string, b: string): boolean {
  const x = cidrRange(a);
  const y = cidrRange(b);
  return x.first <= y.last && y.first <= x.last;
}

/** Partitions and retention of a topic in an environment: the domain's, unless the config says otherwise. */
export function topicSettings(
  kafka: Pick<Environment["kafka"], "partitions" | "retentionMs">,
  key: TopicKey,
): { partitions: number; retentionMs: number } {
  return {
    partitions: kafka.partitions[key] ?? topics[key].partitions,
    retentionMs: kafka.retentionMs[key] ?? topics[key].retentionMs,
  };
}

/** Topics of a pipeline: its input, and the outputs, which go to the partition number of their input. */
export const pipelineTopics = {
  sensor: { input: "imuData", outputs: ["transformed", "aggregated", "late", "sessions", "inference"] },
  market: { input: "trades", outputs: ["marketAggregated", "marketLate"] },
} as const satisfies Record<string, { input: TopicKey; outputs: readonly TopicKey[] }>;
export type PipelineName = keyof typeof pipelineTopics;

/** The defaults of the domain with what an environment overrides. */
export function semanticsOf(overrides: Partial<{ [K in keyof Semantics]: Semantics[K] | undefined }>): Semantics {
  return {
    ...defaultSemantics,
    ...Object.fromEntries(Object.entries(overrides).filter(([, value]) => value !== undefined)),
  };
}

/** One rule: the sections of the config that it reads, and the problems it finds. */
interface Rule {
  readonly reads: readonly (keyof Environment)[];
  readonly problems: (config: Environment) => (string | false)[];
}

const rules: readonly Rule[] = [
  {
    reads: ["zones", "region"],
    problems: ({ zones, region }) => [
      ...zones
        .filter((zone) => !zone.startsWith(region))
        .map((zone) => `zones: ${zone} is not a zone of the region ${region}`),
      new Set(zones).size < zones.length && `zones: ${zones.join(", ")} names a zone twice`,
    ],
  },
  {
    reads: ["network"],
    problems: ({ network }) =>
      network.peerCidrs
        .filter((peer) => cidrsOverlap(peer, network.cidr))
        .map(
          (peer) => `network.cidr: ${network.cidr} overlaps the peer network ${peer}; choose a block that no peer uses`,
        ),
  },
  {
    reads: ["network", "zones"],
    problems: ({ network, zones }) => [
      network.natGateways > zones.length &&
        `network.natGateways: ${network.natGateways}, more than the ${zones.length} zones`,
    ],
  },
  {
    reads: ["processor"],
    problems: ({ processor }) =>
      semanticsProblems(semanticsOf(processor.semantics)).map((problem) => `processor.semantics: ${problem}`),
  },
  { reads: ["processor", "kafka"], problems: (config) => pipelineProblems(config) },
  {
    reads: ["kafka"],
    problems: ({ kafka }) =>
      Object.keys(kafka.partitions)
        .filter((key) =>
          Object.values(pipelineTopics).some(({ outputs }) => (outputs as readonly string[]).includes(key)),
        )
        .map(
          (key) =>
            `kafka.partitions.${key}: an output has the partitions of its input; set those of ${Object.values(pipelineTopics).find(({ outputs }) => (outputs as readonly string[]).includes(key))?.input} instead`,
        ),
  },
  {
    reads: ["kafka"],
    problems: ({ kafka }) => [
      kafka.retentionMs.progress !== undefined &&
        "kafka.retentionMs.progress: that topic is compacted; it has no retention",
    ],
  },
  {
    reads: ["lake"],
    problems: ({ lake }) => [
      lake.expireAfterDays <= lake.glacierAfterDays &&
        `lake.expireAfterDays: ${lake.expireAfterDays}, not after glacierAfterDays (${lake.glacierAfterDays})`,
    ],
  },
  {
    reads: ["lake", "region"],
    problems: ({ lake, region }) => [
      lake.replica !== null &&
        !lake.replica.bucketArn.includes(":s3:::") &&
        `lake.replica.bucketArn: ${lake.replica.bucketArn} is not the ARN of a bucket`,
      lake.replica !== null &&
        (!lake.replica.keyArn.includes(":kms:") || lake.replica.keyArn.includes(`:${region}:`)) &&
        `lake.replica.keyArn: ${lake.replica.keyArn} is not the ARN of a KMS key in another region than ${region}`,
    ],
  },
  {
    reads: ["documents"],
    problems: ({ documents }) => [
      documents.minCapacity > documents.maxCapacity &&
        `documents.minCapacity: ${documents.minCapacity}, more than maxCapacity (${documents.maxCapacity})`,
    ],
  },
  {
    reads: ["api", "region"],
    problems: ({ api, region }) =>
      [["domain", api.domain] as const, ["websocketDomain", api.websocketDomain] as const].map(
        ([name, domain]) =>
          domain !== null &&
          !domain.certificateArn.startsWith("arn:aws:acm:" + region + ":") &&
          `api.${name}.certificateArn: ${domain.certificateArn} is no ACM certificate in ${region}; a regional API takes one from its own region`,
      ),
  },
  {
    reads: ["web"],
    problems: ({ web }) => [
      web.domain !== null &&
        !web.domain.certificateArn.startsWith("arn:aws:acm:us-east-1:") &&
        `web.domain.certificateArn: ${web.domain.certificateArn} is no ACM certificate in us-east-1, the only region CloudFront takes one from`,
      web.webAclArn !== null &&
        !web.webAclArn.startsWith("arn:aws:wafv2:us-east-1:") &&
        `web.webAclArn: ${web.webAclArn} is not in us-east-1, where web ACLs of scope CLOUDFRONT are`,
    ],
  },
  {
    reads: ["api", "retainData"],
    problems: ({ api, retainData }) => [
      retainData &&
        api.auth === null &&
        "api.auth: an environment that keeps its data must not have an open API; give issuer, audience and jwksUri",
      retainData &&
        api.corsOrigins.includes("*") &&
        "api.corsOrigins: an environment that keeps its data must name its origins, not *",
    ],
  },
];

function pipelineProblems({ processor, kafka }: Environment): string[] {
  const lateness = semanticsOf(processor.semantics).allowedLatenessMs;
  return (Object.keys(pipelineTopics) as PipelineName[]).flatMap((name) => {
    const pipeline = processor[name];
    if (pipeline === null) return [];
    const { input } = pipelineTopics[name];
    const { partitions, retentionMs } = topicSettings(kafka, input);
    return [
      pipeline.minTasks > pipeline.maxTasks &&
        `processor.${name}.minTasks: ${pipeline.minTasks}, more than maxTasks (${pipeline.maxTasks})`,
      pipeline.maxTasks > partitions &&
        `processor.${name}.maxTasks: ${pipeline.maxTasks}, more than the ${partitions} partitions of ${topics[input].name}; a task without a partition does nothing`,
      retentionMs !== -1 &&
        retentionMs <= lateness &&
        `kafka.retentionMs.${input}: ${retentionMs} ms, not above the allowed lateness (${lateness} ms); a task that restarts could not catch up`,
    ].filter((problem) => problem !== false);
  });
}

/**
 * Problems of sense: what contradicts itself although each field is well-formed. A rule is left out when a section that
 * it reads is absent.
 */
export function configProblems(config: Partial<Environment>): string[] {
  return rules
    .filter(({ reads }) => reads.every((section) => config[section] !== undefined))
    .flatMap(({ problems }) => problems(config as Environment))
    .filter((problem) => problem !== false);
}
