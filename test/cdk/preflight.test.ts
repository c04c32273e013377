import { expect, test } from "@jest/globals";
import { environment } from "../../config/environments/index.ts";
import { missing, toLookAt, type AccountFacts } from "../../lib/preflight/preflight.ts";

const prod = environment("prod");
const dev = environment("dev");
const ready: AccountFacts = {
  concurrentExecutions: 1_000,
  bootstrapVersion: 21,
  stacks: new Map([["CDKToolkit", "CREATE_COMPLETE"]]),
  tables: ["somebody-elses"],
  buckets: ["millrace-prod-lake-replica", "millrace-dev-lake-111122223333-us-east-1"],
  replicaVersioned: true,
};
/** Fifteen executions are reserved. */
const resources = [
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
  // https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-requirements.html
  ["no bucket for the replica", { replicaVersioned: null }, "millrace-prod-lake-replica is not there"],
  ["a replica without versions", { replicaVersioned: false }, "millrace-prod-lake-replica keeps no versions"],
])("names %s", (_what, change: Partial<AccountFacts>, sentence) => {
  expect(missing(prod, resources, { ...ready, ...change })).toEqual([expect.stringContaining(sentence)]);
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
  expect(missing(dev, [], { ...ready, buckets: [], concurrentExecutions: 10, replicaVersioned: null })).toEqual([]);
});

test("names the zones and the quotas that it does not read", () => {
  expect(toLookAt(prod).join("\n")).toContain(
    "zones use1-az2, use1-az4, use1-az6: aws ec2 describe-availability-zones",
  );
});
