import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { Partitioners, type Message } from "kafkajs";
import { startServers, type Servers } from "../../../../local/servers/index.ts";
import { readTopic, testKafka, type StoredRecord } from "../../../bridge/harness.ts";

const ROOT = join(import.meta.dirname, "..", "..", "..", "..");
const TOPICS = ["imu-data-all", "market-trades", "dead-letter", "millrace-progress"];

let dataDir: string;
let servers: Servers;

// A Kafka of its own: the topics' names are fixed, and other suites' dead letters would be reinjected.
beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), "millrace-reinject-"));
  servers = await startServers({ which: ["kafka"], dataDir });
  const admin = testKafka(servers.kafkaBrokers).admin();
  await admin.connect();
  await admin.createTopics({
    waitForLeaders: true,
    topics: TOPICS.map((topic) => ({ topic, numPartitions: 2, replicationFactor: 1 })),
  });
  await admin.disconnect();
}, 300_000);
afterAll(async () => {
  await servers?.stop();
  rmSync(dataDir, { recursive: true, force: true });
}, 60_000);

async function write(messages: Message[]): Promise<void> {
  const producer = testKafka(servers.kafkaBrokers).producer({ createPartitioner: Partitioners.DefaultPartitioner });
  await producer.connect();
  await producer.send({ topic: "dead-letter", messages });
  await producer.disconnect();
}

async function reinject(...args: string[]): Promise<{ summary: unknown; log: string }> {
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [
    "--disable-warning=ExperimentalWarning",
    join(ROOT, "processor/commands/replay/main.ts"),
    "--from-dead-letter",
    "--brokers",
    servers.kafkaBrokers,
    ...args,
  ]);
  return { summary: JSON.parse(stdout), log: stderr };
}

const readable = ({ partition, key, value, headers }: StoredRecord): object => ({
  partition,
  key: key?.toString() ?? null,
  value: value?.toString("hex") ?? null,
  headers,
});
const source = async (topic: string): Promise<object[]> => (await readTopic(servers.kafkaBrokers, topic)).map(readable);

test("dead letters are reinjected, each once, as new records that name their dead letter", async () => {
  const error = (code: string, offset: number): Record<string, string> => ({
    "error-code": code,
    "error-message": "m",
    stage: "processor",
    "source-topic": "imu-data-all",
    "source-partition": "1",
    "source-offset": String(offset),
  });
  await write([
    {
      key: "abc",
      value: Buffer.from([0xff, 0x00]),
      partition: 0,
      headers: { "content-type": "application/x-millrace-imu", traceparent: "t", ...error("invalid-packed", 17) },
    },
    { key: "foobar", value: "{}", partition: 0, headers: error("invalid-message", 18) },
    // Written twice, as at-least-once delivery may do.
    { key: "foobar", value: "{}", partition: 0, headers: error("invalid-message", 18) },
    { key: null, value: null, partition: 1, headers: { type: "strange", ...error("invalid-message", 19) } },
    { key: "BTC", value: "x", partition: 1, headers: { ...error("invalid-json", 1), "source-topic": "forex-ticks" } },
    {
      key: "abc",
      value: "cut",
      partition: 1,
      headers: {
        "error-code": "payload-too-large",
        "error-message": "m",
        stage: "bridge",
        "mqtt-topic": "imu/abc",
        "full-size": "1000000",
        "full-sha256": "00ff",
      },
    },
    {
      key: "abc",
      value: "whole",
      partition: 1,
      headers: {
        "error-code": "payload-too-large",
        "error-message": "m",
        stage: "bridge",
        "mqtt-topic": "imu/abc",
        "ingest-ms": "5",
      },
    },
    {
      key: "AAPL",
      value: "y",
      partition: 1,
      headers: { ...error("invalid-json", 2), "source-topic": "market-trades" },
    },
  ]);

  expect((await reinject("--dry-run")).summary).toEqual({
    dryRun: true,
    letters: 8,
    sent: { "imu-data-all": 4, "market-trades": 1 },
    before: 1,
    impossible: 2,
  });
  expect(await source("imu-data-all")).toEqual([]);

  expect((await reinject("--code", "invalid-packed")).summary).toEqual({
    code: "invalid-packed",
    letters: 1,
    sent: { "imu-data-all": 1 },
    before: 0,
    impossible: 0,
  });
  // By Kafka's own test, murmur2 of "abc" is 479470107 (odd: partition 1 of 2), and that of "foobar" is -790332482
  // (even).
  expect(await source("imu-data-all")).toEqual([
    {
      partition: 1,
      key: "abc",
      value: "ff00",
      headers: { "content-type": "application/x-millrace-imu", traceparent: "t", "reinjected-from": "dead-letter/0/0" },
    },
  ]);

  const { summary, log } = await reinject();
  expect(summary).toEqual({ letters: 8, sent: { "imu-data-all": 3, "market-trades": 1 }, before: 2, impossible: 2 });
  expect(log).toContain(
    'dead-letter/1/2 (payload-too-large, key "abc") can\'t be sent again: its payload was cut: ' +
      "1000000 bytes, SHA-256 00ff",
  );
  const all = await source("imu-data-all");
  expect(all).toHaveLength(4);
  expect(all).toEqual(
    expect.arrayContaining([
      { partition: 0, key: "foobar", value: "7b7d", headers: { "reinjected-from": "dead-letter/0/1" } },
      { partition: 1, key: null, value: null, headers: { type: "strange", "reinjected-from": "dead-letter/1/0" } },
      {
        partition: 1,
        key: "abc",
        value: Buffer.from("whole").toString("hex"),
        headers: { "ingest-ms": "5", "reinjected-from": "dead-letter/1/3" },
      },
    ]),
  );
  expect(log).toContain(
    'dead-letter/1/1 (invalid-json, key "BTC") can\'t be sent again: ' +
      'its source-topic is "forex-ticks"; known are imu-data-all and market-trades',
  );

  expect(await source("market-trades")).toMatchObject([{ key: "AAPL", value: Buffer.from("y").toString("hex") }]);

  expect((await reinject()).summary).toEqual({ letters: 8, sent: {}, before: 6, impossible: 2 });
  expect(await source("imu-data-all")).toHaveLength(4);
}, 300_000);
