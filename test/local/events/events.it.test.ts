import type { ChildProcess } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  DescribeEventBusCommand,
  EventBridgeClient,
  PutEventsCommand,
  type PutEventsCommandOutput,
  type PutEventsRequestEntry,
} from "@aws-sdk/client-eventbridge";
import { afterAll, beforeAll, expect, jest, test } from "@jest/globals";
import type { SQSBatchResponse } from "aws-lambda";
import { Partitioners } from "kafkajs";
import { createTopics } from "../../../adapters/kafka-topics.ts";
import { localCredentials } from "../../../adapters/local-credentials.ts";
import { newMessage, sqsEvent } from "../../../local/events/messages.ts";
import { startServers, type Servers } from "../../../local/servers/index.ts";
import { readTopic, startProgram as startHarnessProgram, testKafka, type StoredRecord } from "../../bridge/harness.ts";
import { startFunction } from "../../lambda/function-process.ts";
import { eventually } from "../../support/eventually.ts";
import { freePort, killPrograms, startProgram } from "../support/program.ts";

jest.setTimeout(240_000);
const LIMIT_MS = 120_000;
const EventBusName = "millrace-local-market";

let folder: string;
let servers: Servers;
let port: number;
let endpoint: ChildProcess;
let client: EventBridgeClient;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "millrace-events-"));
  servers = await startServers({ which: ["kafka"], dataDir: folder });
  const admin = testKafka(servers.kafkaBrokers).admin();
  await admin.connect();
  await createTopics(admin);
  await admin.disconnect();
  port = await freePort();
  await start();
  client = new EventBridgeClient({
    region: "us-east-1",
    endpoint: `http://127.0.0.1:${port}`,
    credentials: localCredentials,
    maxAttempts: 1,
  });
});
afterAll(async () => {
  await killPrograms([endpoint]);
  await servers.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function start(): Promise<void> {
  endpoint = await startProgram("local/events/main.ts", {
    KAFKA_BROKERS: servers.kafkaBrokers,
    EVENTS_PORT: String(port),
    EVENTS_DIR: join(folder, "events"),
    ON_FAILURE_DIR: join(folder, "on-failure"),
    LOG_LEVEL: "info",
  });
}

const trade = (Detail: unknown, more: Partial<PutEventsRequestEntry> = {}): PutEventsRequestEntry => ({
  EventBusName,
  Source: "shop.orders",
  DetailType: "Trade",
  Detail: typeof Detail === "string" ? Detail : JSON.stringify(Detail),
  ...more,
});
const put = (...Entries: PutEventsRequestEntry[]): Promise<PutEventsCommandOutput> =>
  client.send(new PutEventsCommand({ Entries }));
/** The records of trades; ticks and other control records have no value. */
const stored = async (): Promise<StoredRecord[]> =>
  (await readTopic(servers.kafkaBrokers, "market-trades")).filter(({ value }) => value !== null);
const text = ({ value }: StoredRecord): string => value!.toString();

test("users' trades and ticks are in market-trades as they were put, but for what was absent", async () => {
  const TRX =
    '{"trade_id":"TRX-123456","timestamp":"2026-01-13T14:30:45.123Z","amount":6010.50,"symbol":"AAPL",' +
    '"status":"executed"}';
  const Time = new Date("2026-01-13T14:31:00Z");
  const broken = [
    '{"symbol":"aapl","price":"much"}',
    '{ "trade_id": 7, "price": -1, "big": 9007199254740993 }',
    '{"ticker":["A"],"timestamp":"yesterday"}',
  ];
  const answer = await put(
    trade(TRX, { Resources: ["a"], TraceHeader: "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8" }),
    trade('{"ticker":"MSFT","price":410.25}', { Time }),
    ...broken.map((detail) => trade(detail, { Time })),
    trade("{}", { DetailType: "Order" }),
    trade("{}", { EventBusName: "no-such-bus" }),
    trade("[]"),
    trade("{}", { Source: "" }),
    trade("{}", { EventBusName: `arn:aws:events:us-east-1:000000000000:event-bus/${EventBusName}`, Time }),
  );
  expect(answer.FailedEntryCount).toBe(2);
  expect(answer.Entries!.map(({ ErrorCode }) => ErrorCode ?? "ok")).toEqual([
    ...Array(7).fill("ok"),
    "MalformedDetail",
    "InvalidArgument",
    "ok",
  ]);
  const ids = answer.Entries!.map(({ EventId }) => EventId);
  expect(new Set(ids.filter(Boolean)).size).toBe(8);
  const at = '"timestamp":"2026-01-13T14:31:00Z"';
  const expected = [
    ["AAPL", TRX],
    ["MSFT", `{"ticker":"MSFT","price":410.25,"trade_id":"${ids[1]}",${at}}`],
    [null, `{"symbol":"aapl","price":"much","trade_id":"${ids[2]}",${at}}`],
    [null, `{"trade_id":7,"price":-1,"big":9007199254740993,${at}}`],
    [null, `{"ticker":["A"],"timestamp":"yesterday","trade_id":"${ids[4]}"}`],
    [null, `{"trade_id":"${ids[9]}",${at}}`],
  ];
  const records = await eventually(stored, { until: (all) => all.length >= expected.length, limitMs: LIMIT_MS });
  const found = records.map((record) => [record.key?.toString() ?? null, text(record)]);
  expect(found).toHaveLength(expected.length);
  expect(found).toEqual(expect.arrayContaining(expected));
  for (const { headers } of records)
    expect(headers).toEqual({
      "content-type": "application/json",
      "ingest-ms": expect.stringMatching(/^\d{13}$/),
      traceparent: expect.stringMatching(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/),
    });
  const traced = records.find((record) => text(record) === TRX)!;
  expect(traced.headers["traceparent"]).toBe("00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01");
  // Kafka's own partitioner would put the key there.
  const partitionMetadata = Array.from({ length: 10 }, (_, partitionId) => ({ partitionId, leader: 1 }));
  const message = { key: "AAPL", value: "" };
  expect(traced.partition).toBe(
    Partitioners.DefaultPartitioner()({ topic: "t", partitionMetadata: partitionMetadata as never, message }),
  );
});

test("what the service refuses as a whole is an exception of the SDK", async () => {
  await expect(put(...Array<PutEventsRequestEntry>(11).fill(trade("{}")))).rejects.toMatchObject({
    name: "ValidationException",
    $metadata: { httpStatusCode: 400 },
  });
  await expect(put(trade({ a: "x".repeat(1_048_576) }))).rejects.toMatchObject({
    name: "ValidationException",
    message: "Total size of the entries in the request is over the limit.",
  });
  await expect(client.send(new DescribeEventBusCommand({}))).rejects.toMatchObject({
    name: "UnknownOperationException",
  });
});

test("no acknowledged trade is lost when the endpoint is killed again and again, and Kafka once", async () => {
  const acknowledged: string[] = [];
  let n = 0;
  let running = true;
  const producing = (async () => {
    while (running) {
      const ids = Array.from({ length: 10 }, () => `KILL-${n++}`);
      try {
        const { Entries } = await put(...ids.map((id) => trade({ trade_id: id, symbol: "KILL", price: 1 })));
        acknowledged.push(...ids.filter((_, i) => Entries![i]!.EventId !== undefined));
      } catch {
        // Not acknowledged: it may be stored or not.
      }
    }
  })();
  try {
    for (let kills = 1; kills <= 4; kills++) {
      const before = acknowledged.length;
      await eventually(() => acknowledged.length, { until: (count) => count > before + 200, limitMs: LIMIT_MS });
      if (kills === 2) await servers.server("kafka").kill();
      await killPrograms([endpoint]);
      await start();
      if (kills === 3) await servers.server("kafka").start();
    }
  } finally {
    running = false;
    await producing;
  }
  const missing = async (): Promise<string[]> => {
    const found = new Set(
      (await stored()).map((record) => (JSON.parse(text(record)) as { trade_id: unknown }).trade_id),
    );
    return acknowledged.filter((id) => !found.has(id));
  };
  await eventually(missing, { until: (ids) => ids.length === 0, limitMs: LIMIT_MS, pauseMs: 1_000 });
  expect(acknowledged.length).toBeGreaterThan(800);
});

test("each trade that the simulated market reports is in the topic, with what was done to it", async () => {
  const reportFile = join(folder, "report.json");
  const faults = "duplicate=0.1,late=0.1,corrupt=0.1,cancelled=0.1,conflict=0.1";
  const options = [
    "--market",
    "--once",
    "--duration",
    "4",
    "--rate",
    "200",
    "--faults",
    faults,
    "--report",
    reportFile,
  ];
  const simulator = startHarnessProgram(
    "simulator/main.ts",
    [...options, "--endpoint", `http://127.0.0.1:${port}`],
    {},
    join(folder, "simulator.log"),
  );
  expect((await simulator.exited).code).toBe(0);
  const report = JSON.parse(readFileSync(reportFile, "utf8")) as {
    run: string;
    totals: Record<string, number>;
    symbols: Record<string, Record<string, number>>;
  };
  const acknowledged = Object.values(report.totals).reduce((sum, count) => sum + count, 0);
  const prefix = `SIM-${report.run}-`;
  const trades = await eventually(
    async () => {
      const all = (await stored()).map(text).filter((value) => value.includes(prefix));
      return all.map((value) => JSON.parse(value) as Record<string, string>);
    },
    { until: (found) => found.length >= acknowledged, limitMs: LIMIT_MS },
  );
  expect(trades).toHaveLength(acknowledged);
  const { trade = 0, late = 0, corrupt, cancelled, conflict, executed } = report.totals;
  // 200 a second for 4 s: a Poisson count of 800, of which six standard deviations are 170.
  expect(Math.abs(trade + late - 800)).toBeLessThan(170);
  const isCorrupt = ({ trade_id: id }: Record<string, string>): boolean => id!.endsWith("-x");
  const valid = trades.filter((each) => !isCorrupt(each));
  expect(trades.filter(isCorrupt)).toHaveLength(corrupt!);
  expect(new Set(valid.map(({ trade_id: id }) => id)).size).toBe(trade + late);
  expect(valid.filter(({ account }) => account === "ACC-conflict")).toHaveLength(conflict!);
  expect(valid.filter(({ status }) => status === "cancelled")).toHaveLength(cancelled!);
  const pending = new Set(valid.filter(({ status }) => status === "pending").map(({ trade_id: id }) => id));
  expect(pending.size).toBe(executed);
  for (const [symbol, kinds] of Object.entries(report.symbols))
    expect(trades.filter((each) => each["symbol"] === symbol)).toHaveLength(
      Object.values(kinds).reduce((sum, count) => sum + count, 0),
    );
});

test("the function appends all but the messages that it reports, and generates trades by schedule", async () => {
  const produceTrades = startFunction("produce-trades", { KAFKA_BROKERS: servers.kafkaBrokers });
  try {
    const body = (detail: object, more: object = {}): string =>
      JSON.stringify({ "detail-type": "Trade", id: "e", time: "2026-01-13T14:31:00Z", detail, ...more });
    const messages = [
      body({ trade_id: "FN-1", symbol: "FN" }),
      "no JSON",
      body({ trade_id: "FN-large", symbol: "FN", note: "x".repeat(1_200_000) }),
      body({ trade_id: "FN-2", symbol: "FN" }),
      body({}, { "detail-type": "Order" }),
    ].map((each) => newMessage(each, undefined, Date.now()));
    const { batchItemFailures } = await produceTrades.invoke<SQSBatchResponse>(sqsEvent(messages, "us-east-1"));
    expect(batchItemFailures.map(({ itemIdentifier }) => itemIdentifier).toSorted()).toEqual(
      [1, 2, 4].map((i) => messages[i]!.messageId).toSorted(),
    );
    const { generated } = await produceTrades.invoke<{ generated: number }>({
      generate: { symbols: 3, rate: 10, seed: 5 },
      time: "2026-01-13T14:31:00Z",
    });
    expect(generated).toBeGreaterThan(400);
    const records = await stored();
    expect(records.filter(({ key }) => key?.toString() === "FN").map(text)).toEqual(
      ["FN-1", "FN-2"].map((id) => `{"trade_id":"${id}","symbol":"FN","timestamp":"2026-01-13T14:31:00Z"}`),
    );
    expect(records.filter((record) => text(record).startsWith('{"trade_id":"SIM-5-'))).toHaveLength(generated);
  } finally {
    await produceTrades.stop();
  }
});
