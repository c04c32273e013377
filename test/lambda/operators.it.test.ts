import { afterAll, beforeAll, expect, test } from "@jest/globals";
import type { APIGatewayProxyEvent, APIGatewayProxyResult } from "aws-lambda";
import { testKafka } from "../bridge/harness.ts";
import { createTopics } from "../support/kafka-topics.ts";
import { sharedServers, uniqueName } from "../support/servers.ts";
import { restEvent } from "./events.ts";
import { startFunction } from "./function-process.ts";

const { kafkaBrokers } = sharedServers();
const kafka = testKafka(kafkaBrokers);
const topic = uniqueName("operators");
const group = uniqueName("operators-group");
const readLog = startFunction("read-log", { KAFKA_BROKERS: kafkaBrokers, AWS_REGION: "us-east-1" });

const ask = async (
  path: string,
  options: Parameters<typeof restEvent>[1] = {},
): Promise<{ readonly status: number; readonly body: never }> => {
  const event: APIGatewayProxyEvent = restEvent(path, options);
  const { statusCode, body, headers } = await readLog.invoke<APIGatewayProxyResult>(event);
  const contentType = statusCode < 400 ? "application/json" : "application/problem+json";
  const allow = statusCode === 405 ? { allow: "GET" } : {};
  expect(headers).toEqual({ "content-type": contentType, "cache-control": "no-store", ...allow });
  return { status: statusCode, body: JSON.parse(body) as never };
};

beforeAll(async () => {
  await createTopics(kafkaBrokers, [topic], 2);
  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 });
  await producer.connect();
  for (const [partition, value] of [
    [0, '{"a":1}'],
    [1, "text"],
    [0, '{"a":2}'],
  ] as const)
    await producer.send({ topic, messages: [{ partition, key: "k", value, timestamp: value === "text" ? "2" : "1" }] });
  await producer.disconnect();
  const admin = kafka.admin();
  await admin.connect();
  await admin.setOffsets({ groupId: group, topic, partitions: [{ partition: 0, offset: "1" }] });
  await admin.disconnect();
}, 60_000);
afterAll(() => readLog.stop());

test("topics, groups and records are answered as npm start answers them", async () => {
  const topics = await ask("/ops/topics");
  expect(topics.status).toBe(200);
  expect(topics.body).toContainEqual(
    expect.objectContaining({
      name: topic,
      partitions: [
        expect.objectContaining({ partition: 0, first: 0, next: 2 }),
        expect.objectContaining({ partition: 1, first: 0, next: 1 }),
      ],
    }),
  );
  const groups = await ask("/ops/groups");
  expect(groups.body).toContainEqual(expect.objectContaining({ group, state: "Empty", lag: 1 }));
  const { status, body } = await ask("/ops/records", { query: { topic, limit: "2" } });
  expect(status).toBe(200);
  expect(body).toEqual({
    topic,
    isComplete: true,
    records: [
      expect.objectContaining({ partition: 1, offset: 0, value: { form: "text", text: "text", isCut: false } }),
      expect.objectContaining({ partition: 0, offset: 1, key: { form: "text", text: "k" } }),
    ],
  });
});

test("what is wrong with a request is said as npm start says it", async () => {
  expect(await ask("/ops/records", { query: { topic, limit: "51" } })).toEqual({
    status: 400,
    body: {
      type: "about:blank",
      title: "Bad Request",
      status: 400,
      detail: "limit: must be a whole number from 1 to 50",
    },
  });
  expect((await ask("/ops/records", { query: { topic: "no-such-topic" } })).status).toBe(404);
  expect(await ask("/ops/topics", { method: "POST" })).toMatchObject({
    status: 405,
    body: { detail: "use GET at /ops/topics" },
  });
});
