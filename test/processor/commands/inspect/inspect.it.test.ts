import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { Partitioners, type Message } from "kafkajs";
import { createTopics } from "../../../../adapters/kafka-topics.ts";
import { topics } from "../../../../domain/topics.ts";
import { startServers, type Servers } from "../../../../local/servers/index.ts";
import type { Report } from "../../../../processor/commands/inspect/report.ts";
import { countRecords, startProgram, testKafka, type Program } from "../../../bridge/harness.ts";
import { eventually } from "../../../support/eventually.ts";

const ROOT = join(import.meta.dirname, "..", "..", "..", "..");
/** A whole second, some seconds ago. */
const START = Math.floor(Date.now() / 1_000) * 1_000 - 10_000;
const iso = (time: number): string => new Date(START + time).toISOString();

let dataDir: string;
let servers: Servers;
let processor: Program | null = null;

/** A message whose readings are so many milliseconds behind START. */
function message(seq: number, times: readonly number[]): Message {
  const t = times.map((time) => START + time);
  return {
    key: "s1",
    value: JSON.stringify({ seq, boot: "b1", t, samples: t.map(() => [0, 0, 9.8, 0, 0, 0]) }),
    headers: { "content-type": "application/json" },
  };
}

async function append(topic: string, messages: readonly Message[]): Promise<void> {
  const producer = testKafka(servers.kafkaBrokers).producer({ createPartitioner: Partitioners.DefaultPartitioner });
  await producer.connect();
  await producer.send({ topic, messages: [...messages] });
  await producer.disconnect();
}

// Servers of its own: the names of topics and groups are the platform's.
beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), "millrace-inspect-"));
  servers = await startServers({ which: ["kafka", "dynamodb"], dataDir });
  const admin = testKafka(servers.kafkaBrokers).admin();
  await admin.connect();
  await createTopics(admin, { specs: Object.values(topics).map((spec) => ({ ...spec, partitions: 1 })) });
  await admin.disconnect();
  await append(topics.imuData.name, [
    message(0, [0, 250, 500, 750]),
    message(1, [1_000, 1_250, 1_500, 1_750]),
    message(2, [2_000, 2_250, 2_500, 2_750]),
    message(4, [4_000, 4_100, 4_200, 4_300]), // 3 is missing
  ]);
  processor = startProgram(
    "processor/main.ts",
    [],
    {
      KAFKA_BROKERS: servers.kafkaBrokers,
      DYNAMODB_ENDPOINT: servers.dynamodbEndpoint,
    },
    join(dataDir, "processor.log"),
  );
}, 300_000);
afterAll(async () => {
  await processor?.end("SIGTERM");
  await servers?.stop();
  rmSync(dataDir, { recursive: true, force: true });
}, 60_000);

async function run(...args: string[]): Promise<{ readonly stdout: string }> {
  const main = join(ROOT, "processor/commands/inspect/main.ts");
  return promisify(execFile)(process.execPath, ["--disable-warning=ExperimentalWarning", main, ...args], {
    env: {
      PATH: process.env["PATH"],
      KAFKA_BROKERS: servers.kafkaBrokers,
      DYNAMODB_ENDPOINT: servers.dynamodbEndpoint,
    },
  });
}

async function inspect(...args: string[]): Promise<Report> {
  return JSON.parse((await run(...args, "--json")).stdout) as Report;
}

test("the state of a sensor, of which each figure was computed by hand", async () => {
  const report = await eventually(() => inspect("--sensor", "s1"), {
    until: ({ committed }) => committed === 4,
    limitMs: 90_000,
  });
  // The newest reading is at 4.3 s, the bound is 0.5 s.
  expect(report).toMatchObject({
    task: "sensor/imu-data-all/0",
    partition: 0,
    log: { earliest: 0, latest: 4 },
    committed: 4,
    reached: 4,
    presence: "active",
    maxEventTime: START + 4_300,
    watermark: { at: START + 3_800, scope: "sensor" },
    firedWindows: 3,
    endedSessions: 0,
  });
  expect(report.openWindows).toMatchObject([
    { operator: "tumbling-1000", start: START + 4_000, end: START + 5_000, count: 4, fired: 0 },
  ]);
  expect(report.openWindows[0]!.why).toContain(
    `the watermark must reach ${iso(5_000)} and is 1.2 s behind, because the newest reading of the sensor is of ` +
      iso(4_300),
  );
  expect(report.openSessions).toMatchObject([{ start: START, last: START + 4_300, samples: 16, ended: 0 }]);
  expect(report.openSessions[0]!.why).toContain(`must reach ${iso(9_300)} and is 5.5 s behind`);
  // Four rows of a time and six numbers, eight bytes each.
  expect(report.waiting).toMatchObject({ boot: "b1", next: 3, messages: 1, bytes: 224, first: 4 });
  expect(report.waiting!.why).toContain(`1 message waits for seq 3 of boot b1 (224 bytes). Without it: `);
  expect(report.seen).toEqual({
    boots: [
      {
        boot: "b1",
        floor: 0,
        intervals: [
          [0, 2],
          [4, 4],
        ],
        newest: START + 4_300,
      },
    ],
    letGoBoots: 0,
  });
}, 120_000);

test("why a window is not out: it fired, it is empty, it waits", async () => {
  const fired = await inspect("--sensor", "s1", "--window", `tumbling-1000@${START}`);
  // The watermark reaches 1 s at seq 1, whose last reading is at 1.75 s.
  expect(fired.window).toMatchObject({ last: { revision: 0, cause: "watermark", count: 4, id: "imu-data-all/0/1/0" } });
  expect(fired.window!.why).toMatch(/^it was fired as revision 0 at 20/);
  const empty = await inspect("--sensor", "s1", "--window", `tumbling-1000@${iso(3_000)}`);
  expect(empty.window!.why).toBe(
    `it is empty so far: no reading for it has come, and the newest one of the sensor is of ${iso(4_300)}`,
  );
  const { stdout } = await run("--sensor", "s1", "--window", `tumbling-1000@${START + 4_000}`);
  expect(stdout).toMatch(/^s1: active\n/);
  expect(stdout).toContain(`tumbling-1000 [${iso(4_000)}, ${iso(5_000)}): it has 4 readings and has not fired: `);
  expect(stdout).toContain("b1: last number 4, seen 0 to 2, 4; newest reading");
}, 60_000);

test("a task that does not run: what it has not committed yet is shown as that, and nothing is written", async () => {
  await processor!.end("SIGTERM");
  processor = null;
  await append(topics.imuData.name, [message(5, [5_600, 5_700])]);
  const written = await countRecords(servers.kafkaBrokers, topics.progress.name);
  const report = await inspect("--sensor", "s1", "--window", `tumbling-1000@${START + 4_000}`);
  // The watermark is at 5.2 s now.
  expect(report).toMatchObject({ committed: 4, reached: 5, stepped: 1, watermark: { at: START + 5_200 } });
  // The snapshot of its end.
  expect(report.snapshot).toMatchObject({ nextOffset: 4 });
  expect(report.window).toMatchObject({ last: null, coming: [{ revision: 0, offset: 4, id: "imu-data-all/0/4/0" }] });
  expect(report.window!.why).toContain(
    "revision 0 fires in the step of offset 4 (cause watermark), which the task has not committed yet: it has " +
      "committed the offsets below 4",
  );
  expect(report.waiting!.messages).toBe(0);
  expect((await inspect("--sensor", "s1")).snapshot).toEqual({
    ...report.snapshot,
    age: expect.any(Number) as unknown,
  });
  expect(await countRecords(servers.kafkaBrokers, topics.progress.name)).toBe(written);
}, 60_000);

test("a symbol, whose task has never run: its bars and trades", async () => {
  const minute = Math.floor(START / 60_000) * 60_000;
  const trade = { trade_id: "T1", timestamp: START, symbol: "AAPL", price: 2, quantity: 3 };
  await append(topics.trades.name, [{ key: "AAPL", value: JSON.stringify(trade) }]);
  const report = await inspect("--symbol", "AAPL");
  expect(report).toMatchObject({
    task: "market/market-trades/0",
    snapshot: null,
    committed: null,
    stepped: 1,
    trades: 1,
    seen: null,
    waiting: null,
  });
  // The trade is in the bar of its minute, and in five of the sliding ones.
  expect(report.openWindows.map(({ operator, start, count }) => [operator, start - minute, count])).toEqual(
    expect.arrayContaining([
      ["tumbling-60000", 0, 1],
      ...[-240_000, -180_000, -120_000, -60_000, 0].map((start) => ["sliding-300000-60000", start, 1]),
    ]),
  );
  expect(report.openWindows).toHaveLength(6);
}, 60_000);

test.each([
  [["--sensor", "s2"], '"s2" is not known to sensor/imu-data-all/0: no message of it was accepted below offset'],
  [["--sensor", "s1", "--window", "tumbling-1000@5"], "no window of tumbling-1000 starts at 5"],
])(
  "%j is refused with exit code 1, and the message says why",
  async (args, problem) => {
    await expect(run(...args)).rejects.toMatchObject({ code: 1, stderr: expect.stringContaining(problem) as unknown });
  },
  60_000,
);
