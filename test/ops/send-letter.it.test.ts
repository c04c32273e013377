import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { Partitioners, type Message } from "kafkajs";
import { startServers, type Servers } from "../../local/servers/index.ts";
import type { Answer } from "../../ops/answer.ts";
import { letterPost, letterSender } from "../../ops/letters.ts";
import { readTopic, testKafka } from "../bridge/harness.ts";

const TOPICS = ["imu-data-all", "market-trades", "dead-letter", "millrace-progress"];

let dataDir: string;
let servers: Servers;

// A Kafka of its own: the topics' names are fixed.
beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), "millrace-send-letter-"));
  servers = await startServers({ which: ["kafka"], dataDir });
  const kafka = testKafka(servers.kafkaBrokers);
  const admin = kafka.admin();
  await admin.connect();
  const topics = TOPICS.map((topic) => ({ topic, numPartitions: 2, replicationFactor: 1 }));
  await admin.createTopics({ waitForLeaders: true, topics });
  await admin.disconnect();
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
  await producer.connect();
  await producer.send({ topic: "dead-letter", messages: [letter(17), letter(18), cut] });
  await producer.disconnect();
}, 300_000);
afterAll(async () => {
  await servers?.stop();
  rmSync(dataDir, { recursive: true, force: true });
}, 60_000);

const letter = (offset: number): Message => ({
  key: "abc",
  value: `payload ${offset}`,
  partition: 1,
  headers: {
    "content-type": "application/json",
    "error-code": "invalid-json",
    "error-message": "m",
    stage: "sensor",
    "source-topic": "imu-data-all",
    "source-partition": "1",
    "source-offset": String(offset),
  },
});
const cut: Message = {
  key: "abc",
  value: "cut",
  partition: 0,
  headers: { stage: "bridge", "letter-id": "00aa", "full-size": "1000000", "full-sha256": "00ff" },
};
const asked = (id: string, partition: number, offset: number): object => ({
  action: "send-again",
  id,
  log: { partition, offset },
});

/** A POST of a process of its own, which remembers no key. */
const post = (body: object, key: string): Promise<Answer> =>
  letterPost(letterSender({ kafkaBrokers: servers.kafkaBrokers, kafkaAuth: "none", region: "local" }))(body, key);
const sent = async (): Promise<(string | undefined)[]> =>
  (await readTopic(servers.kafkaBrokers, "imu-data-all")).map(({ value }) => value?.toString());

test("a letter is sent in again once, whoever is asked, and the log has who asked", async () => {
  const first = asked("imu-data-all/1/17/0", 1, 0);
  // By Kafka's own test, murmur2 of "abc" is 479470107: odd, so partition 1 of 2.
  const answer = { status: 200, body: { topic: "imu-data-all", partition: 1, offset: 0 } };
  expect(await post(first, "key-00001")).toEqual(answer);
  expect(await post(first, "key-00001")).toEqual(answer);
  expect(await post(first, "key-00002")).toMatchObject({
    status: 409,
    body: { detail: "it was sent again before, as imu-data-all/1/0" },
  });
  expect(await readTopic(servers.kafkaBrokers, "imu-data-all")).toMatchObject([
    {
      partition: 1,
      value: Buffer.from("payload 17"),
      headers: { "content-type": "application/json", "reinjected-from": "dead-letter/1/0" },
    },
  ]);
  expect(await readTopic(servers.kafkaBrokers, "millrace-progress")).toMatchObject([
    { partition: 1, value: Buffer.from("imu-data-all"), headers: { "idempotency-key": "key-00001" } },
  ]);
}, 120_000);

test("a letter that is not there, is another one or was cut is not sent", async () => {
  const before = await sent();
  const absent = [asked("imu-data-all/1/17/0", 1, 7), asked("imu-data-all/1/17/0", 2, 0)];
  for (const body of absent) expect(await post(body, "key-00003")).toMatchObject({ status: 404 });
  expect(await post(asked("imu-data-all/1/17/0", 1, 1), "key-00003")).toMatchObject({
    status: 404,
    body: { detail: expect.stringContaining("dead-letter/1/1 is imu-data-all/1/18/0") },
  });
  expect(await post(asked("00aa", 0, 0), "key-00003")).toMatchObject({
    status: 409,
    body: { detail: expect.stringContaining("its payload was cut: 1000000 bytes, SHA-256 00ff") },
  });
  expect(await sent()).toEqual(before);
}, 120_000);
