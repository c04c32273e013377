import { beforeAll, describe, expect, test } from "@jest/globals";
import { environment } from "../../config/environments/index.ts";
import { topics } from "../../domain/topics.ts";
import { environments, resourcesOf, synthesised, type Resource, type Synthesised } from "./synthesised.ts";
import { allowedWildcards, type AllowedWildcard } from "./wildcards/index.ts";

const LIMIT_MS = 300_000;

interface Statement {
  readonly Effect: "Allow" | "Deny";
  readonly Action?: string | readonly string[];
  readonly Resource?: unknown;
  readonly Principal?: unknown;
}

const list = <T>(value: T | readonly T[]): readonly T[] =>
  Array.isArray(value) ? (value as readonly T[]) : [value as T];

/** A resource of a policy as text: references become `<name>`. */
function textOf(value: unknown): string {
  if (typeof value === "string") return value;
  const [name, argument] = Object.entries(value as Record<string, unknown>)[0] ?? ["", undefined];
  if (name === "Fn::Join")
    return (argument as [string, unknown[]])[1].map(textOf).join((argument as [string, unknown[]])[0]);
  if (name === "Fn::ImportValue") return `<${textOf(argument)}>`;
  if (name === "Fn::Select") return "<part>";
  return `<${
    typeof argument === "string"
      ? argument
      : list(argument as string[])
          .map((part) => (typeof part === "string" ? part : textOf(part)))
          .join(".")
  }>`;
}

/** All statements of a template: of roles, keys, buckets, queues, topics, IoT policies. */
function statementsOf({ Properties }: Resource): Statement[] {
  const documents = [
    Properties["PolicyDocument"],
    Properties["KeyPolicy"],
    Properties["AssumeRolePolicyDocument"],
    Properties["Policy"],
    ...((Properties["Policies"] as { PolicyDocument: unknown }[] | undefined) ?? []).map(
      ({ PolicyDocument }) => PolicyDocument,
    ),
  ];
  return documents.flatMap((document) =>
    typeof document === "object" && document !== null && "Statement" in document
      ? list((document as { Statement: Statement | Statement[] }).Statement)
      : [],
  );
}

/** A statement with a wildcard: in an action (then it has no `resource` here), or in one resource. */
interface FoundWildcard {
  readonly stack: string;
  readonly where: string;
  readonly actions: readonly string[];
  readonly resource?: string;
}

function wildcardsOf(platform: Synthesised): FoundWildcard[] {
  return Object.entries(platform.templates).flatMap(([stack, { Resources }]) =>
    Object.entries(Resources).flatMap(([id, resource]) =>
      statementsOf({ ...resource, Properties: resource.Properties ?? {} }).flatMap((statement) => {
        const found = { stack, where: `${stack}/${id}`, actions: list(statement.Action ?? []) };
        const resources = list(statement.Resource ?? [])
          .map(textOf)
          .filter((text) => text.includes("*"));
        return [
          ...(found.actions.some((action) => action.includes("*")) ? [found] : []),
          ...resources.map((text) => ({ ...found, resource: text })),
        ];
      }),
    ),
  );
}

function allows(entry: AllowedWildcard, { stack, actions, resource }: FoundWildcard): boolean {
  return (
    (entry.stacks?.includes(stack) ?? true) &&
    actions.every((action) => entry.actions.includes(action)) &&
    (resource === undefined || (entry.resource?.test(resource) ?? false))
  );
}

/** Names of the resources on which a role of a stack has each action of Kafka. */
function kafkaRights(platform: Synthesised, stack: string, role: string): Record<string, string[]> {
  const found: Record<string, string[]> = {};
  for (const { resource } of resourcesOf(platform, "AWS::IAM::Policy").filter(
    (policy) => policy.stack === stack && JSON.stringify(policy.resource.Properties["Roles"]).includes(role),
  )) {
    for (const { Action, Resource } of statementsOf(resource)) {
      for (const action of list(Action ?? []).filter((name) => name.startsWith("kafka-cluster:")))
        (found[action.slice("kafka-cluster:".length)] ??= []).push(
          ...list(Resource ?? []).map((text) => textOf(text).split("/").at(-1) ?? ""),
        );
    }
  }
  return Object.fromEntries(Object.entries(found).map(([action, names]) => [action, [...new Set(names)].sort()]));
}

describe.each(environments)("policies of %s", (env) => {
  let platform: Synthesised;
  const { market } = environment(env).processor;
  /** What is there where the market runs. */
  const ofMarket = (...names: string[]): string[] => (market === null ? [] : names);
  beforeAll(async () => {
    platform = await synthesised(env);
  }, LIMIT_MS);

  test("have no wildcard that isn't listed with its reason", () => {
    const unlisted = wildcardsOf(platform).filter((found) => !allowedWildcards.some((entry) => allows(entry, found)));
    expect(unlisted.map(({ where, actions, resource }) => `${where}: ${actions.join(", ")} on ${resource}`)).toEqual(
      [],
    );
  });

  test("let nobody but AWS services and this account's own principals in", () => {
    const principals = resourcesOf(
      platform,
      "AWS::IAM::Role",
      "AWS::KMS::Key",
      "AWS::S3::BucketPolicy",
      "AWS::SQS::QueuePolicy",
      "AWS::SNS::TopicPolicy",
      "AWS::MSK::ClusterPolicy",
    ).flatMap(({ stack, id, resource }) =>
      statementsOf(resource)
        .filter(({ Effect, Principal }) => Effect === "Allow" && Principal !== undefined)
        .map(({ Principal }) => ({ where: `${stack}/${id}`, Principal })),
    );
    expect(principals.length).toBeGreaterThan(0);
    expect(
      principals.filter(({ Principal }) => JSON.stringify(Principal).includes('"*"')).map(({ where }) => where),
    ).toEqual([]);
  });

  test("give each program its topics, groups and transactional ids, and no others", () => {
    const kafka = (stack: string, role: string): Record<string, string[]> => kafkaRights(platform, stack, role);
    const processor = kafka("processing", "Serviceprocessorsensor");
    expect(processor["ReadData"]).toEqual([topics.imuData.name, topics.progress.name].sort());
    expect(processor["WriteData"]).toEqual(
      [
        topics.transformed,
        topics.aggregated,
        topics.late,
        topics.sessions,
        topics.inference,
        topics.deadLetter,
        topics.progress,
      ]
        .map(({ name }) => name)
        .sort(),
    );
    expect(processor["AlterGroup"]).toEqual(["millrace-processor-sensor"]);
    expect(processor["AlterTransactionalId"]).toEqual([`millrace.${env}.sensor.imu-data-all.*`]);
    const bridge = kafka("ingestion", "Servicebridge0");
    expect(bridge["WriteData"]).toEqual(["dead-letter", "imu-data-all", ...ofMarket("market-trades")]);
    expect(Object.keys(bridge)).not.toContain("ReadData");
    const live = kafka("serving", "Servicelive");
    expect(Object.keys(live)).not.toContain("WriteData");
    expect(live["ReadData"]).toEqual([
      ...ofMarket("market-aggregated", "market-alerts", "market-enriched"),
      "new-session-topic",
      "sensor-data-aggregated",
      "sensor-data-transformed",
      "sensor-inference",
    ]);
    const health = kafka("serving", "Functionreadhealth");
    expect(Object.keys(health).sort()).toEqual(["Connect", "DescribeGroup", "DescribeTopic"]);
    expect(health["DescribeGroup"]).toEqual([...ofMarket("millrace-processor-market"), "millrace-processor-sensor"]);
    expect(health["DescribeTopic"]).toEqual(["imu-data-all", ...ofMarket("market-trades")]);
    const admin = kafka("streaming", "Functioncreatetopics");
    expect(Object.keys(admin).filter((action) => action.startsWith("Delete"))).toEqual([]);
    // It puts settings in force.
    expect(admin["ReadData"]).toEqual([topics.changes.name, topics.progress.name].sort());
    expect(admin["WriteData"]).toEqual(["imu-data-all", ...ofMarket("market-trades"), "millrace-changes"]);
    const mappings = resourcesOf(platform, "AWS::Lambda::EventSourceMapping");
    for (const mapping of mappings.filter(({ resource }) => resource.Properties["Topics"] !== undefined)) {
      const role = mapping.id.replace(/^Consumer([a-z]+)From.*$/, "Function$1");
      const rights = kafka(mapping.stack, role);
      expect(rights["ReadData"]).toEqual(expect.arrayContaining(mapping.resource.Properties["Topics"] as string[]));
      expect(Object.keys(rights)).toEqual(
        expect.arrayContaining([
          "Connect",
          "DescribeGroup",
          "AlterGroup",
          "DescribeTopic",
          "ReadData",
          "DescribeClusterDynamicConfiguration",
        ]),
      );
    }
  });
});

// https://docs.aws.amazon.com/msk/latest/developerguide/iam-access-control-use-cases.html
test(
  "policies of the market give its processor the market's topics, and the function that appends trades their topic",
  async () => {
    const platform = await synthesised("dev");
    const processor = kafkaRights(platform, "processing", "Serviceprocessormarket");
    expect(processor["ReadData"]).toEqual(["market-trades", "millrace-progress"]);
    expect(processor["WriteData"]).toEqual([
      "dead-letter",
      "market-aggregated",
      "market-alerts",
      "market-enriched",
      "market-late",
      "market-positions",
      "millrace-progress",
    ]);
    expect(processor["AlterGroup"]).toEqual(["millrace-processor-market"]);
    expect(processor["AlterTransactionalId"]).toEqual(["millrace.dev.market.market-trades.*"]);
    const produce = kafkaRights(platform, "market", "Functionproducetrades");
    // Connect and WriteDataIdempotently are rights on the cluster: the last part of its ARN is its UUID.
    expect(Object.keys(produce).toSorted()).toEqual(["Connect", "DescribeTopic", "WriteData", "WriteDataIdempotently"]);
    expect([produce["WriteData"], produce["DescribeTopic"]]).toEqual([["market-trades"], ["market-trades"]]);
    // It scores nothing: no right to the bucket of models.
    const rights = JSON.stringify(
      resourcesOf(platform, "AWS::IAM::Policy").filter(({ resource }) =>
        JSON.stringify(resource.Properties["Roles"]).includes("Serviceprocessormarket"),
      ),
    );
    expect(rights).toContain("dynamodb:PutItem");
    expect(rights).not.toContain("s3:GetObject");
  },
  LIMIT_MS,
);

test(
  "a policy uses every wildcard that is listed",
  async () => {
    const platforms = await Promise.all(environments.map((env) => synthesised(env)));
    const found = platforms.flatMap(wildcardsOf);
    const unused = allowedWildcards.filter(
      (entry) =>
        !found.some((one) => (one.resource !== undefined) === (entry.resource !== undefined) && allows(entry, one)),
    );
    expect(unused).toEqual([]);
  },
  LIMIT_MS,
);
