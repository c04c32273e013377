import { expect, test } from "@jest/globals";
import { environment } from "../../config/environments/index.ts";
import type { KafkaRecord } from "../../lambda/shared/kafka-event.ts";
import { logRows } from "../../lambda/write-lake/log-rows.ts";
import { whatStays } from "../../lib/preflight/destroy.ts";
import { missing, RAW_ROW_BYTES, toLookAt, type AccountFacts } from "../../lib/preflight/preflight.ts";

const prod = environment("prod");
const dev = environment("dev");
const ready: AccountFacts = {
  concurrentExecutions: 1_000,
  bootstrapVersion: 21,
  stacks: new Map([["CDKToolkit", "CREATE_COMPLETE"]]),
  account: "111122223333",
  deployed: null,
  tables: ["somebody-elses"],
  featureGroups: [],
  eventBuses: ["default"],
  buckets: ["millrace-prod-lake-replica", "millrace-dev-lake-111122223333-us-east-1"],
  replicaVersioned: true,
  zones: ["use1-az1", "use1-az2", "use1-az4", "use1-az6"],
  vpcs: 1,
  addresses: 0,
  quotas: { "Fargate On-Demand vCPU resource count": 100, "VPCs per Region": 5, "EC2-VPC Elastic IPs": 5 },
  serviceRoles: [
    "AWSServiceRoleForECS",
    "AWSServiceRoleForApplicationAutoScaling_ECSService",
    "AWSServiceRoleForRDS",
    "AWSServiceRoleForKafka",
  ],
  apiLogRole: "arn:aws:iam::111122223333:role/millrace-prod-serving-RestApiCloudWatchRole",
  iotLogRole: "arn:aws:iam::111122223333:role/millrace-prod-ingestion-LoggingRole",
};
/** Fifteen executions are reserved. */
const resources = [
  ...["ECS::Cluster", "ApplicationAutoScaling::ScalableTarget", "DocDB::DBCluster", "MSK::ServerlessCluster"].map(
    (type) => ({ Type: `AWS::${type}` }),
  ),
  { Type: "AWS::Lambda::Function", Properties: { ReservedConcurrentExecutions: 10 } },
  { Type: "AWS::Lambda::Function", Properties: { ReservedConcurrentExecutions: 5 } },
  { Type: "AWS::Lambda::Function", Properties: {} },
  { Type: "AWS::Lambda::Function" },
  { Type: "AWS::SQS::Queue", Properties: { ReservedConcurrentExecutions: 900 } },
];

test("nothing is missing in an account that is ready", () => {
  expect(missing(prod, resources, ready)).toEqual([]);
});

test.each([
  // https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html: 100 stay unreserved.
  [
    "the quota of a new account",
    { concurrentExecutions: 10 },
    "quota of concurrent executions is 10; the functions reserve 15",
  ],
  ["one execution too few", { concurrentExecutions: 114 }, "quota of concurrent executions is 114"],
  // https://docs.aws.amazon.com/cdk/v2/guide/bootstrapping-env.html
  ["no bootstrap", { bootstrapVersion: null }, "is not bootstrapped in this region"],
  ["an old bootstrap", { bootstrapVersion: 5 }, "has bootstrap version 5 in this region, 6 is needed"],
  // https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html
  [
    "a stack that was rolled back",
    { stacks: new Map([["millrace-prod-lake", "ROLLBACK_COMPLETE"]]) },
    "millrace-prod-lake is ROLLBACK_COMPLETE",
  ],
  ["a stack that is stuck", { stacks: new Map([["millrace-prod-web", "UPDATE_ROLLBACK_FAILED"]]) }, "takes no update"],
  ["a table that was kept", { tables: ["millrace-prod-devices"] }, "the table millrace-prod-devices is there"],
  [
    "a bucket that was kept",
    { buckets: ["millrace-prod-lake-111122223333-us-east-1"] },
    "the bucket millrace-prod-lake-111122223333-us-east-1 is there",
  ],
  [
    "a feature group that was kept",
    { featureGroups: ["millrace-prod-sensor-windows-v2"] },
    "the feature group millrace-prod-sensor-windows-v2 is there",
  ],
  [
    "an event bus that was kept",
    { eventBuses: ["millrace-prod-market"] },
    "the event bus millrace-prod-market is there",
  ],
  ["credentials of another account", { account: "999988887777" }, "the credentials are of the account 999988887777"],
  // https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-requirements.html
  ["no bucket for the replica", { replicaVersioned: null }, "millrace-prod-lake-replica is not there"],
  ["a replica without versions", { replicaVersioned: false }, "millrace-prod-lake-replica keeps no versions"],
  [
    "a zone that is another's",
    { zones: ["use1-az2", "use1-az4"] },
    "the zone use1-az6 is not available to this account",
  ],
  [
    "a VPC too many",
    { vpcs: 5 },
    'the quota "VPCs per Region" is 5, and 6 are needed with what the account has: aws service-quotas request-',
  ],
  // One role for the logs of all APIs of account and region:
  // https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-logging.html
  [
    "a log role of API Gateway that somebody else has set",
    { apiLogRole: "arn:aws:iam::111122223333:role/shop-api-logs" },
    "API Gateway's role for logs is arn:aws:iam::111122223333:role/shop-api-logs, which is not this environment's",
  ],
  // https://docs.aws.amazon.com/iot/latest/developerguide/configure-logging.html
  [
    "a log of IoT Core that another environment owns",
    { iotLogRole: "arn:aws:iam::111122223333:role/path/millrace-staging-ingestion-LoggingRole" },
    "IoT Core's log is arn:aws:iam::111122223333:role/path/millrace-staging-ingestion-LoggingRole",
  ],
  // https://docs.aws.amazon.com/AmazonECS/latest/developerguide/using-service-linked-roles.html
  [
    "no role of ECS",
    { serviceRoles: ready.serviceRoles.slice(1) },
    "aws iam create-service-linked-role --aws-service-name ecs.amazonaws.com",
  ],
  // https://docs.aws.amazon.com/documentdb/latest/developerguide/service-linked-roles.html
  [
    "no role of RDS, which DocumentDB takes",
    { serviceRoles: ready.serviceRoles.filter((name) => name !== "AWSServiceRoleForRDS") },
    "AWSServiceRoleForRDS, which AWS::DocDB::DBCluster needs, is not there",
  ],
])("names %s", (_what, change: Partial<AccountFacts>, sentence) => {
  expect(missing(prod, resources, { ...ready, ...change })).toEqual([expect.stringContaining(sentence)]);
});

test("names what an environment lacks that does not own the account's settings", () => {
  const staging = environment("staging");
  const facts = { ...ready, buckets: [], apiLogRole: null, iotLogRole: null };
  expect(missing(staging, [], facts)).toEqual([
    expect.stringContaining("API Gateway's role for logs, which stages with logs need, is not set"),
    expect.stringContaining("IoT Core's log, without which it refuses the level of a group, is not set"),
  ]);
  expect(missing(staging, [], { ...facts, apiLogRole: ready.apiLogRole, iotLogRole: ready.iotLogRole })).toEqual([]);
  // Who owns them makes them.
  expect(missing(prod, [], { ...ready, apiLogRole: null, iotLogRole: null })).toEqual([]);
});

test("names an environment that is in the way in the account of the credentials", () => {
  const facts = { ...ready, buckets: [], apiLogRole: null, iotLogRole: null };
  expect(missing(dev, [], facts, [dev, prod])).toEqual([
    expect.stringContaining("ownsAccountSettings: true, and prod is in the same region and account (111122223333)"),
  ]);
  expect(missing(dev, [], { ...facts, account: "999988887777" }, [dev, prod])).toEqual([]);
  // An account without stacks says nothing.
  expect(missing(dev, [], { ...facts, account: null }, [dev, prod])).toEqual([]);
});

// What AWS::MSK::ServerlessCluster, AWS::EC2::VPC and AWS::EC2::Subnet replace:
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-updating-stacks-update-behaviors.html
test("asks for what is deployed in the config, and names what would be replaced meanwhile", () => {
  const deployed = {
    name: "prod",
    region: "us-east-1",
    zones: [...prod.zones],
    cidr: prod.network.cidr,
    mqttPrefix: "prod",
  };
  const asked = expect.stringContaining(`add deployed: ${JSON.stringify(deployed)}`) as unknown;
  expect(missing(prod, resources, { ...ready, deployed })).toEqual([asked]);
  expect(missing({ ...prod, zones: prod.zones.toReversed() }, resources, { ...ready, deployed })).toEqual([
    expect.stringContaining("subnets would be replaced, and with them the cluster and the database"),
    asked,
  ]);
  expect(missing({ ...prod, deployed }, resources, { ...ready, deployed })).toEqual([]);
  expect(missing(dev, [], { ...ready, buckets: [], deployed, apiLogRole: null, iotLogRole: null })).toEqual([]);
});

test("takes what is just enough, what another environment has, and what belongs to a stack that is there", () => {
  const there = {
    ...ready,
    concurrentExecutions: 115,
    bootstrapVersion: 6,
    stacks: new Map([
      ["millrace-prod-state", "UPDATE_COMPLETE"],
      ["millrace-dev-lake", "DELETE_FAILED"],
    ]),
    tables: ["millrace-prod-devices"],
    buckets: ["millrace-prod-models-111122223333-us-east-1"],
  };
  expect(missing(prod, resources, there)).toEqual([]);
  // An account without any quota to spare takes an environment that reserves nothing.
  const poor = { ...ready, buckets: [], concurrentExecutions: 10, replicaVersioned: null };
  expect(missing(dev, [], { ...poor, apiLogRole: null, iotLogRole: null, serviceRoles: [] })).toEqual([]);
});

test("counts the vCPUs of the services and of an operator's task, and the addresses of NAT gateways", () => {
  const service = (name: string, more = {}): Record<string, unknown> => ({
    ServiceName: `millrace-prod-${name}`,
    NetworkConfiguration: {},
    ...more,
  });
  const templates = [
    { Type: "AWS::ECS::Service", Properties: service("bridge-0", { DesiredCount: 1 }) },
    { Type: "AWS::ECS::Service", Properties: service("live") },
    { Type: "AWS::ECS::TaskDefinition", Properties: { Family: "millrace-prod-bridge-0", Cpu: "1024", Memory: "2048" } },
    { Type: "AWS::ECS::TaskDefinition", Properties: { Family: "millrace-prod-live", Cpu: "512", Memory: "2048" } },
    ...[1, 2, 3].map(() => ({ Type: "AWS::EC2::NatGateway" })),
  ];
  // 1 + 0.5 for each of the three of live (config/environments/prod.ts) + 1.
  expect(prod.live.minTasks).toBe(3);
  const vcpus = (count: number): AccountFacts["quotas"] => ({
    ...ready.quotas,
    "Fargate On-Demand vCPU resource count": count,
  });
  expect(missing(prod, templates, { ...ready, quotas: vcpus(3.5) })).toEqual([]);
  expect(missing(prod, templates, { ...ready, quotas: vcpus(3) })).toEqual([
    expect.stringContaining('the quota "Fargate On-Demand vCPU resource count" is 3, and 3.5 are needed'),
  ]);
  expect(missing(prod, templates, { ...ready, addresses: 2 })).toEqual([]);
  expect(missing(prod, templates, { ...ready, addresses: 3 })).toEqual([
    expect.stringContaining('the quota "EC2-VPC Elastic IPs" is 5, and 6 are needed'),
  ]);
  const deployed = new Map([...ready.stacks, ["millrace-prod-network", "CREATE_COMPLETE"]] as const);
  expect(missing(prod, templates, { ...ready, addresses: 5, vpcs: 5, stacks: deployed })).toEqual([]);
});

test("misses nothing that could not be read", () => {
  expect(missing(prod, resources, {})).toEqual([]);
});

// https://docs.aws.amazon.com/firehose/latest/dev/limits.html: direct puts of a stream, 5 MiB/s in three regions and
// 1 MiB/s in the others.
test("says how many sensors Firehose takes in the region", () => {
  const inRegion = (region: string): string => toLookAt({ ...prod, region }).join("\n");
  // 5 × 1,048,576 / 7,137 = 734.6
  expect(inRegion("us-east-1")).toContain("5 MiB/s a stream in us-east-1 until it is raised");
  expect(inRegion("us-east-1")).toContain("millrace-prod-raw reaches it at 734 sensors");
  expect(inRegion("eu-west-1")).toContain("reaches it at 734 sensors");
  expect(inRegion("eu-central-1")).toContain("millrace-prod-raw reaches it at 146 sensors");
  // 3 × 1,048,576 / 7,137 = 440.8
  const several = { ...prod, region: "eu-central-1", lake: { ...prod.lake, streams: { raw: 3 } } };
  expect(toLookAt(several).join("\n")).toContain("the 3 streams of millrace-prod-raw reach it at 440 sensors");
});

test("takes the row of a message of a second at 200 Hz to have the bytes that the function writes", () => {
  const header = (name: string, value: string): [string, Uint8Array] => [name, Buffer.from(value)];
  // docs/packed-format.md: 24 bytes a reading; its payload is no text, so that the row has no readable copy.
  const value = Buffer.alloc(60 + 200 * 24, 200);
  const record = {
    ...{ topic: "imu-data-all", partition: 3, offset: 123_456_789, timestamp: 1_657_533_977_813, headers: {} },
    ...{ keyBytes: Buffer.from("s01-sw"), keyBase64: Buffer.from("s01-sw").toString("base64") },
    ...{ value, valueBase64: value.toString("base64") },
    recordHeaders: [
      header("content-type", "application/x-millrace-imu"),
      header("ingest-ms", "1657533977813"),
      header("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    ],
  } as unknown as KafkaRecord;
  const [row] = logRows(record, { earliestMs: 0, latestMs: 2e12 });
  expect(Buffer.byteLength(JSON.stringify(row))).toBe(RAW_ROW_BYTES);
});

test("says what stays of an environment, by the templates' policies and by what no stack has", () => {
  const table = { Type: "AWS::DynamoDB::Table", DeletionPolicy: "Retain" };
  const templates = [
    table,
    table,
    { Type: "AWS::DocDB::DBCluster", DeletionPolicy: "Snapshot" },
    { Type: "AWS::S3::B" },
  ];
  const stays = whatStays(prod, templates);
  expect(stays).toEqual(
    expect.arrayContaining([
      expect.stringContaining("by termination protection: retainData is true"),
      "2 of AWS::DynamoDB::Table: deletion policy Retain, it is kept",
      "1 of AWS::DocDB::DBCluster: deletion policy Snapshot, a last snapshot is kept",
      expect.stringContaining("the replica arn:aws:s3:::millrace-prod-lake-replica"),
      // https://docs.aws.amazon.com/iot/latest/apireference/API_DeletePolicy.html: "A policy cannot be deleted if […] it
      // is attached to any certificate."
      expect.stringMatching(/^the stack millrace-prod-ingestion, while a certificate has .*millrace-prod-sensor and/),
      expect.stringContaining("--thing-group-name millrace-prod-sensors"),
    ]),
  );
  expect(stays.join("\n")).not.toContain("AWS::S3::B");
  const ofDev = whatStays(dev, [{ Type: "AWS::KMS::Key", DeletionPolicy: "Delete" }]).join("\n");
  expect(ofDev).toContain("the keys, for 7 days");
  // https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-loggroups.html
  expect(ofDev).toContain("/aws/lambda/millrace-dev-… of the CDK's own functions");
  expect(ofDev).not.toMatch(/termination protection|deletion policy|replica/);
});
