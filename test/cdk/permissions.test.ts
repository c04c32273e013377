import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "@jest/globals";
import { environment } from "../../config/environments/index.ts";
import { topics } from "../../domain/topics.ts";
import { pythonTools } from "./python.ts";
import { list, statementsOf, textOf } from "./statements.ts";
import { environments, resourcesOf, root, synthesised, type Synthesised } from "./synthesised.ts";
import { allowedWildcards, type AllowedWildcard } from "./wildcards/index.ts";

const LIMIT_MS = 300_000;
const bin = pythonTools();

/** What IAM's published lists of actions and resources say against statements. */
function problemsOf(statements: readonly object[]): string[] {
  const run = spawnSync(join(bin!, "python"), [join(root, "test/cdk/standin/check_policies.py")], {
    encoding: "utf8",
    input: JSON.stringify(statements),
  });
  if (run.status !== 0) throw new Error(`the check of the policies failed:\n${run.stderr.slice(-4_000)}`);
  return JSON.parse(run.stdout) as string[];
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

/** Wildcards that no entry of the table allows. */
function unlistedIn(platform: Synthesised): string[] {
  return wildcardsOf(platform)
    .filter((found) => !allowedWildcards.some((entry) => allows(entry, found)))
    .map(({ where, actions, resource }) => `${where}: ${actions.join(", ")} on ${resource}`);
}

/** The statements of all policies, for the check against IAM's lists. */
function allStatementsOf(platform: Synthesised): object[] {
  // Types whose policies name resources. The others belong to one: a bucket, a key, a queue, a role.
  const named = ["AWS::IAM::Policy", "AWS::IAM::ManagedPolicy", "AWS::IoT::Policy"];
  return Object.entries(platform.templates).flatMap(([stack, { Resources }]) =>
    Object.entries(Resources).flatMap(([id, resource]) =>
      statementsOf({ ...resource, Properties: resource.Properties ?? {} }).map(({ Action, Resource }) => ({
        where: `${stack}/${id}`,
        actions: list(Action ?? []),
        resources: named.includes(resource.Type) ? list(Resource ?? []).map(textOf) : null,
      })),
    ),
  );
}

/** Names of the resources on which a role of a stack has each action of Kafka. */
function kafkaRights(platform: Synthesised, stack: string, role: string): Record<string, string[]> {
  const found: Record<string, string[]> = {};
  // What does not fit into a role's own policy the CDK puts into a managed one.
  const policies = [...resourcesOf(platform, "AWS::IAM::Policy"), ...resourcesOf(platform, "AWS::IAM::ManagedPolicy")];
  for (const { resource } of policies.filter(
    (policy) => policy.stack === stack && JSON.stringify(policy.resource.Properties["Roles"])?.includes(role),
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

describe("policies of the rehearsal's role", () => {
  let platform: Synthesised;
  beforeAll(async () => {
    platform = await synthesised("rehearsal");
  }, LIMIT_MS);

  test("have no wildcard that isn't listed with its reason", () => {
    expect(wildcardsOf(platform).length).toBeGreaterThan(1);
    expect(unlistedIn(platform)).toEqual([]);
  });

  (bin === undefined ? test.skip : test)("have only actions that IAM knows, each on resources that it takes", () => {
    expect(allStatementsOf(platform).length).toBeGreaterThan(4);
    expect(problemsOf(allStatementsOf(platform))).toEqual([]);
  });
});

describe.each(environments)("policies of %s", (env) => {
  let platform: Synthesised;
  const { market } = environment(env).processor;
  /** What is there where the market runs. */
  const ofMarket = (...names: string[]): string[] => (market === null ? [] : names);
  beforeAll(async () => {
    platform = await synthesised(env);
  }, LIMIT_MS);

  test("have no wildcard that isn't listed with its reason", () => expect(unlistedIn(platform)).toEqual([]));

  (bin === undefined ? test.skip : test)("have only actions that IAM knows, each on resources that it takes", () => {
    const statements = allStatementsOf(platform);
    expect(statements.length).toBeGreaterThan(100);
    expect(problemsOf(statements)).toEqual([]);
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
    // Letters, of which it tells their devices.
    expect(bridge["ReadData"]).toEqual(["dead-letter"]);
    const live = kafka("serving", "Servicelive");
    expect(Object.keys(live)).not.toContain("WriteData");
    expect(live["ReadData"]).toEqual([
      "dead-letter",
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
    // An operator's commands: they write control records, letters that are sent again, progress, and outputs that are
    // restored from the lake; no dead letters.
    const ops = kafka("operations", "TaskRole");
    expect(ops["WriteData"]).toEqual(
      [
        "imu-data-all",
        ...["new-session-topic", "sensor-data-aggregated", "sensor-data-late", "sensor-data-transformed"],
        ...["sensor-inference", topics.changes.name, topics.progress.name],
        ...ofMarket("market-aggregated", "market-alerts", "market-enriched", "market-late", "market-positions"),
        ...ofMarket("market-trades"),
      ].toSorted(),
    );
    expect(ops["AlterTopic"]).not.toContain(topics.changes.name);
    expect(ops["AlterGroup"]).toEqual([
      "millrace-changes",
      ...ofMarket("millrace-processor-market"),
      "millrace-processor-sensor",
    ]);
    expect(Object.keys(ops).filter((action) => /Delete|Create|Configuration/.test(action))).toEqual([]);
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
    const platforms = await Promise.all([...environments, "rehearsal" as const].map((env) => synthesised(env)));
    const found = platforms.flatMap(wildcardsOf);
    const unused = allowedWildcards.filter(
      (entry) =>
        !found.some((one) => (one.resource !== undefined) === (entry.resource !== undefined) && allows(entry, one)),
    );
    expect(unused).toEqual([]);
  },
  LIMIT_MS,
);

(bin === undefined ? test.skip : test)(
  "the check finds an action that is none, and a resource that no action takes",
  () => {
    const policy = (actions: string[], resources: string[]): object => ({ where: "x", actions, resources });
    expect(
      problemsOf([
        policy(["s3:GetObjects"], ["*"]),
        policy(["sqs:SendMessage"], ["arn:aws:sns:us-east-1:111122223333:topic"]),
        policy(["iot:Publish"], ["arn:aws:iot:us-east-1:111122223333:topic/<x>", "arn:aws:iot:us-east-1:1:client/a"]),
        policy(["iot:AttachPolicy"], ["arn:<p>:iot:us-east-1:<a>:policy/x"]),
        policy(["dynamodb:*Item", "kms:Decrypt"], ["arn:<p>:dynamodb:<r>:<a>:table/x", "<Key.Arn>"]),
      ]),
    ).toEqual([
      "x: s3:GetObjects is no action that IAM knows",
      "x: sqs:SendMessage takes none of arn:aws:sns:us-east-1:111122223333:topic",
      "x: none of iot:Publish takes arn:aws:iot:us-east-1:1:client/a",
      "x: iot:AttachPolicy takes none of arn:<p>:iot:us-east-1:<a>:policy/x",
    ]);
  },
);
