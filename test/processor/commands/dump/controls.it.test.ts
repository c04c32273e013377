import { afterAll, beforeAll, expect, test } from "@jest/globals";
import type { Cluster, Producer } from "kafkajs";
import { openCluster } from "../../../../adapters/kafka-cluster.ts";
import { createKafka } from "../../../../adapters/kafka.ts";
import { controlsInForce } from "../../../../processor/commands/dump/dump-topic.ts";
import { sharedServers, uniqueName } from "../../../support/servers.ts";

const { kafkaBrokers } = sharedServers();
const kafka = createKafka({ kafkaBrokers, kafkaAuth: "none", region: "" }, "dump-test");
const topic = uniqueName("controls");
let cluster: Cluster;
let producer: Producer;

beforeAll(async () => {
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic, numPartitions: 1 }], waitForLeaders: true });
  await admin.disconnect();
  producer = kafka.producer();
  await producer.connect();
  const control = (headers: Record<string, string>) => ({ key: null, value: null, headers });
  const part = (version: string, number: number, parts: number, text: string) =>
    control({
      type: "reference",
      "reference-version": version,
      part: String(number),
      parts: String(parts),
      reference: text,
    });
  const model = (stage: string) => control({ type: "model", model: JSON.stringify({ stage }) });
  const messages = [
    control({ type: "settings", settings: "first" }), // 0
    model("live"), // 1
    model("shadow"), // 2
    { key: "s1", value: "{}" }, // 3
    control({ type: "settings", settings: "second" }), // 4
    model("live"), // 5
    model("canary"), // 6
    control({ type: "tick" }), // 7
    model("none"), // 8
    part("v1", 0, 2, '{"version":'), // 9
    part("v1", 1, 2, '"v1"}'), // 10
    part("v2", 0, 2, '{"version":'), // 11
    part("v3", 0, 1, '{"version":"v3","rates":{"EUR":-1}}'), // 12: is refused
    part("v4", 0, 1, '{"version":"v4"}'), // 13
  ];
  for (const message of messages) await producer.send({ topic, messages: [message] });
  cluster = openCluster(kafka);
  await cluster.connect();
  await cluster.addTargetTopic(topic);
});
afterAll(async () => {
  await producer?.disconnect();
  await cluster?.disconnect();
});

test.each([
  [1, [0]],
  [4, [0, 1, 2]],
  [5, [1, 2, 4]],
  [8, [4, 5, 6]],
  [9, [4, 8]],
  [10, [4, 8, 9]],
  [11, [4, 8, 9, 10]],
  [12, [4, 8, 9, 10, 11]],
  [13, [4, 8, 9, 10, 11]],
  [14, [4, 8, 13]],
])("before offset %i the control records %j are in force", async (from, expected) => {
  const records = await controlsInForce(cluster, topic, 0, { earliest: 0, from });
  expect(records.map(({ offset }) => offset)).toEqual(expected);
});
