import { describe, expect, test } from "@jest/globals";
import { namesOperator } from "../../domain/caller.ts";
import type { TopicSpec } from "../../domain/topics.ts";
import { admit } from "../../lambda/admit-device/decide.ts";
import { allowStage, bearerToken } from "../../lambda/authorize-request/policy.ts";
import { planTopics } from "../../lambda/create-topics/plan.ts";
import { TICKET, ticketCounts, ticketKey } from "../../lambda/issue-ticket/ticket.ts";

const spec = (name: string, change: Partial<TopicSpec> = {}): TopicSpec => ({
  name,
  partitions: 10,
  cleanup: "delete",
  retentionMs: 3_600_000,
  timestampType: "LogAppendTime",
  maxMessageBytes: 1_048_588,
  purpose: "test",
  ...change,
});
const asWanted = {
  "cleanup.policy": "delete",
  "message.timestamp.type": "LogAppendTime",
  "max.message.bytes": "1048588",
  "retention.ms": "3600000",
  // https://docs.aws.amazon.com/msk/latest/developerguide/serverless-config.html: 250 GiB where it is not given.
  "retention.bytes": "-1",
};

describe("the plan for topics", () => {
  test("creates what is missing and leaves what is there", () => {
    const plan = planTopics([spec("a"), spec("b")], new Map([["a", { partitions: 10, config: asWanted }]]));
    expect(plan.create.map(({ name }) => name)).toEqual(["b"]);
    expect([plan.alter, plan.problems, plan.notes]).toEqual([[], [], []]);
  });
  test("never widens, because keys would move without their state, and never takes partitions away", () => {
    const plan = planTopics(
      [spec("a", { partitions: 20 }), spec("b", { partitions: 5 })],
      new Map([
        ["a", { partitions: 10, config: asWanted }],
        ["b", { partitions: 10, config: asWanted }],
      ]),
    );
    expect(plan.problems).toEqual([expect.stringMatching(/^a has 10 partitions, wanted are 20: .*npm run rescale/)]);
    expect(plan.notes[0]).toContain("b has 10 partitions, wanted are 5");
  });
  test("alters settings that differ, but says that compaction can't be changed", () => {
    expect(
      planTopics([spec("a", { retentionMs: 7_200_000 })], new Map([["a", { partitions: 10, config: asWanted }]])).alter,
    ).toEqual([{ name: "a", config: { "retention.ms": "7200000" } }]);
    const bounded = { ...asWanted, "retention.bytes": "268435456000" };
    expect(planTopics([spec("a")], new Map([["a", { partitions: 10, config: bounded }]])).alter).toEqual([
      { name: "a", config: { "retention.bytes": "-1" } },
    ]);
    expect(
      planTopics([spec("a", { cleanup: "compact" })], new Map([["a", { partitions: 10, config: asWanted }]]))
        .problems[0],
    ).toContain("fixed at creation");
  });
});

describe("the pre-provisioning hook", () => {
  test("admits a registered device as the sensor it is registered for", () => {
    expect(admit("sn-1", { sensorId: "s01-sw" }, 1_000)).toEqual({ allow: true, sensorId: "s01-sw" });
    expect(admit("sn-1", { sensorId: "s01-sw", expiresAt: 2 }, 1_999)).toEqual({ allow: true, sensorId: "s01-sw" });
  });
  test.each([
    ["an unknown one", "sn-1", undefined],
    ["one whose registration has ended", "sn-1", { sensorId: "s01-sw", expiresAt: 2 }],
    // https://docs.aws.amazon.com/iot/latest/developerguide/provision-wo-cert.html: a claim certificate is in many
    // devices, and the hook is what keeps a copy of it from getting more certificates.
    ["one whose serial number was used", "sn-1", { sensorId: "s01-sw", usedAt: 1 }],
    ["one that is registered as what can be no sensor", "sn-1", { sensorId: "a/b" }],
    // https://docs.aws.amazon.com/iot/latest/developerguide/mqtt.html: of two clients with one id the older is ended.
    ["one that is registered under the id of a program", "sn-1", { sensorId: "millrace-dev-bridge-0-0" }],
    ["a serial number that can be no sensor", "a/b", { sensorId: "s01-sw" }],
    ["none", undefined, { sensorId: "s01-sw" }],
  ])("refuses %s", (_what, serialNumber, registration) => {
    expect(admit(serialNumber, registration, 2_000).allow).toBe(false);
  });
});

describe("tickets and tokens", () => {
  test("a ticket is valid until it expires", () => {
    expect([ticketCounts(10, 9_999), ticketCounts(10, 10_000), ticketCounts(undefined, 0)]).toEqual([
      true,
      false,
      false,
    ]);
  });
  test("a ticket is stored as its SHA-256", () => {
    // echo -n abc | sha256sum
    expect(ticketKey("abc")).toBe("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    expect(TICKET.test(Buffer.alloc(32).toString("base64url"))).toBe(true);
  });
  test("only a bearer token of three parts is accepted", () => {
    expect(bearerToken("Bearer a.b.c")).toBe("a.b.c");
    expect(["", "Basic a.b.c", "Bearer a.b", undefined].map(bearerToken)).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
  });
  test("an authorizer allows the requested stage, and no other API", () => {
    const { policyDocument, principalId, context } = allowStage(
      "arn:aws:execute-api:us-east-1:123456789012:api1/v1/GET/sessions/x",
      { principalId: "user", operator: true },
    );
    expect(principalId).toBe("user");
    // https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-lambda-authorizer-output.html: texts.
    expect(context).toEqual({ operator: "true" });
    expect(policyDocument.Statement).toEqual([
      {
        Action: "execute-api:Invoke",
        Effect: "Allow",
        Resource: "arn:aws:execute-api:us-east-1:123456789012:api1/v1/*",
      },
    ]);
  });
  // RFC 8693, section 4.2: scope is one text, with spaces between its values.
  test.each([
    ["a member of the group", { groups: ["users", "operators"] }, true],
    ["a member of other groups", { groups: ["users", "operators-of-another"] }, false],
    ["a member of one group, that is no list", { groups: "operators" }, true],
    ["a bearer of the scope", { scope: "openid operator" }, true],
    ["a bearer of other scopes", { scope: "openid operators read:operator" }, false],
    ["whose groups are in another claim", { "cognito:groups": ["operators"] }, false],
    ["who names nothing", {}, false],
    ["whose claims have forms of their own", { groups: { operators: true }, scope: ["operator"] }, false],
  ])("%s", (_what, claims, operator) => {
    expect(namesOperator(claims, { groupsClaim: "groups", operatorsGroup: "operators" })).toBe(operator);
  });
  test("the claim and the group are the config's", () => {
    const wanted = { groupsClaim: "cognito:groups", operatorsGroup: "on-call" };
    expect(namesOperator({ "cognito:groups": ["on-call"] }, wanted)).toBe(true);
    expect(namesOperator({ groups: ["on-call"], "cognito:groups": ["operators"] }, wanted)).toBe(false);
  });
});
