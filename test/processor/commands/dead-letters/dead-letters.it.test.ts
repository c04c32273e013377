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

async function run(...args: string[]): Promise<{ readonly out: string; readonly log: string; readonly code: number }> {
  const main = join(ROOT, "processor/commands/dead-letters/main.ts");
  const command = ["--disable-warning=ExperimentalWarning", main, ...args, "--brokers", servers.kafkaBrokers];
  const failed = (error: { stdout: string; stderr: string; code: number }) => error;
  const {
    stdout,
    stderr,
    code = 0,
  } = await promisify(execFile)(process.execPath, command).then(
    (done): { stdout: string; stderr: string; code?: number } => done,
    failed,
  );
  return { out: stdout, log: stderr, code };
}

async function sendAgain(...args: string[]): Promise<{ summary: unknown; log: string; code: number }> {
  const { out, log, code } = await run("send-again", ...args);
  return { summary: JSON.parse(out), log, code };
}

const readable = ({ partition, key, value, headers }: StoredRecord): object => ({
  partition,
  key: key?.toString() ?? null,
  value: value?.toString("hex") ?? null,
  headers,
});
const source = async (topic: string): Promise<object[]> => (await readTopic(servers.kafkaBrokers, topic)).map(readable);

test("dead letters are sent again, each once, as new records that name their dead letter", async () => {
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

  expect((await sendAgain("--all", "--dry-run")).summary).toEqual({
    dryRun: true,
    letters: 8,
    sent: { "imu-data-all": 4, "market-trades": 1 },
    before: 1,
    impossible: 2,
  });
  expect(await source("imu-data-all")).toEqual([]);

  expect((await sendAgain("--code", "invalid-packed")).summary).toEqual({
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

  const { summary, log } = await sendAgain("--all");
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

  expect((await sendAgain("--all")).summary).toEqual({ letters: 8, sent: {}, before: 6, impossible: 2 });
  expect(await source("imu-data-all")).toHaveLength(4);
}, 300_000);

/** The columns of a list but the first, which is the time. */
const columns = (out: string): string[][] =>
  out
    .trimEnd()
    .split("\n")
    .map((line) => line.split("  ").slice(1));

test("a list has the newest letters first, and what filters mean", async () => {
  // A second between two letters, in both partitions in turn: behind those of the test before, which Kafka stamped.
  const start = Date.now() + 60_000;
  const letter = (i: number, key: string, code: string): Message => ({
    key,
    value: `{"seq":${i},"boot":"b${i}"}`,
    partition: i % 2,
    timestamp: String(start + i * 1_000),
    headers: {
      "content-type": "application/json",
      "error-code": code,
      "error-message": `line\none\u001b[31m${i}`,
      stage: "processor",
      "source-topic": "imu-data-all",
      "source-partition": String(i % 2),
      "source-offset": String(100 + i),
    },
  });
  await write([
    letter(0, "one", "out-of-range"),
    letter(1, "two", "out-of-range"),
    letter(2, "one", "invalid-json"),
    letter(3, "two", "out-of-range"),
  ]);

  const newest = await run("list", "--limit", "3");
  expect(columns(newest.out)).toEqual([
    ["dead-letter/1/6", "out-of-range", "two", "line one [31m3"],
    ["dead-letter/0/4", "invalid-json", "one", "line one [31m2"],
    ["dead-letter/1/5", "out-of-range", "two", "line one [31m1"],
  ]);
  expect(newest.out.slice(0, 24)).toBe(new Date(start + 3_000).toISOString());
  expect(newest.log).toContain("there may be more: these are the newest 3");

  const times = ["--from", String(start + 1_000), "--to", new Date(start + 3_000).toISOString()];
  expect(columns((await run("list", ...times)).out).map(([place]) => place)).toEqual([
    "dead-letter/0/4",
    "dead-letter/1/5",
  ]);
  const ofSensor = await run("list", "--sensor", "two", "--code", "out-of-range", "--json");
  expect(
    ofSensor.out
      .trimEnd()
      .split("\n")
      .map((line) => (JSON.parse(line) as { value: { seq: number } }).value.seq),
  ).toEqual([3, 1]);
  const none = await run("list", "--sensor", "three");
  expect([none.out, none.code]).toEqual(["", 0]);
  expect(none.log).toContain("no letter matches");
}, 300_000);

test("a letter is shown by its place or its id, verbatim, with what to do", async () => {
  const { out } = await run("show", "dead-letter/1/6");
  expect((await run("show", "imu-data-all/1/103/0")).out).toBe(out);
  const [text, line] = out.split("\n\n");
  expect(text).toContain("  about       sensor two, seq 3, boot b3\n");
  expect(text).toContain("  source      imu-data-all/1/103\n");
  expect(text).toContain("  what to do  Send m/s² (at most 320) and rad/s (at most 70), as finite numbers.\n");
  expect(text).toContain("  send again  npm run dead-letters -- send-again dead-letter/1/6");
  expect(JSON.parse(line!)).toMatchObject({
    key: "two",
    value: { seq: 3, boot: "b3" },
    headers: { "error-code": "out-of-range", "error-message": "line\none\u001b[31m3", "source-offset": "103" },
  });
  expect((await run("show", "dead-letter/1/1")).out).toContain("  send again  is impossible: its source-topic is");

  const missing = await run("show", "dead-letter/0/99");
  expect([missing.code, missing.out]).toEqual([1, ""]);
  expect(missing.log).toContain("arguments-invalid: there is no letter dead-letter/0/99");
}, 300_000);

test("letters are sent again by id, and one that is not there is an error", async () => {
  const { summary, log, code } = await sendAgain("imu-data-all/1/103/0", "dead-letter/7/7");
  expect(summary).toEqual({ letters: 1, sent: { "imu-data-all": 1 }, before: 0, impossible: 0 });
  expect(code).toBe(1);
  expect(log).toContain("there is no letter dead-letter/7/7");
  expect((await run("show", "dead-letter/1/6")).out).toContain("  send again  was done already\n");
  expect((await sendAgain("--sensor", "two")).summary).toMatchObject({ letters: 2, before: 1 });
}, 300_000);
