import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import type { BatchResponse } from "../../domain/api.ts";
import { namedQueries } from "../../domain/lake-queries.ts";
import { toJson } from "../../local/lake/json.ts";
import { openLake } from "../../local/lake/open.ts";
import { mskEvent, type RecordSpec } from "./events.ts";
import { startFunction, type FunctionProcess } from "./function-process.ts";
import { alerted, barred, ended, inferred, windowed } from "./records.ts";

const T = 1_657_533_977_813;
/** The minute of T. */
const M = 1_657_533_960_000;
let lakeDir: string;
let firehose: ChildProcess;
let writeLake: FunctionProcess;
let unreachable: FunctionProcess;

beforeAll(async () => {
  lakeDir = mkdtempSync(join(tmpdir(), "millrace-lake-"));
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  // The local Firehose refuses half of the records, as Firehose does when it throttles.
  firehose = spawn(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", join(import.meta.dirname, "../../local/firehose/main.ts")],
    {
      env: { ...process.env, LAKE_DIR: lakeDir, FIREHOSE_PORT: String(port), FIREHOSE_FAULT_RATE: "0.5" },
      stdio: ["ignore", "ignore", "pipe"],
    },
  );
  for await (const line of firehose.stderr as AsyncIterable<Buffer>)
    if (line.toString().includes("endpoint is ready")) break;
  writeLake = startFunction("write-lake", { FIREHOSE_ENDPOINT: `http://127.0.0.1:${port}`, MILLRACE_ENV: "local" });
  unreachable = startFunction("write-lake", { FIREHOSE_ENDPOINT: "http://127.0.0.1:9", MILLRACE_ENV: "local" });
});
afterAll(async () => {
  await Promise.all([writeLake.stop(), unreachable.stop()]);
  if (firehose.exitCode === null) firehose.kill("SIGKILL");
  rmSync(lakeDir, { recursive: true, force: true });
});

/** Delivers records as the event source does: again from the offset that the answer names in each partition. */
async function deliver(records: readonly RecordSpec[]): Promise<void> {
  for (let left = records; left.length > 0;) {
    const { batchItemFailures } = await writeLake.invoke<BatchResponse>(mskEvent(left));
    const resume = new Map(
      batchItemFailures.map(({ itemIdentifier }) => [itemIdentifier.partition, itemIdentifier.offset]),
    );
    left = left.filter(
      ({ topic, partition = 0, offset }) => offset >= (resume.get(`${topic}-${partition}`) ?? Infinity),
    );
  }
}

test("each record is in the lake once, with its values, though Firehose refuses half at a time", async () => {
  const raws = Array.from({ length: 1_200 }, (_, i): RecordSpec => ({
    topic: "imu-data-all",
    partition: i % 3,
    offset: i,
    timestamp: T + 50,
    key: `s${i % 7}`,
    value: `{"seq":${i},"t":[${T}],"samples":[[0,0,9.81,0,0,0]]}`,
    headers: { "content-type": "application/json" },
  }));
  const tick: RecordSpec = {
    topic: "imu-data-all",
    partition: 0,
    offset: 5_000,
    timestamp: T + 3_600_000,
    headers: { type: "tick" },
  };
  await deliver([
    ...raws,
    tick,
    { topic: "sensor-data-aggregated", offset: 1, key: "s1", value: windowed("s1", 1_657_533_977_000, { offset: 1 }) },
    {
      topic: "new-session-topic",
      offset: 2,
      key: "s1",
      value: ended("s1", T, T + 12.5, 3, { offset: 2, activity: { walking: 0.5 } }),
    },
    { topic: "sensor-inference", offset: 3, key: "s1", value: inferred("s1", T, { offset: 3 }) },
    { topic: "sensor-inference", offset: 4, key: "s1", value: inferred("s1", T + 250, { offset: 4, label: null }) },
  ]);
  const trade = (offset: number, text: string | Buffer | null, headers = {}): RecordSpec => ({
    topic: "market-trades",
    partition: 2,
    offset,
    timestamp: T + offset,
    headers,
    ...(text === null ? {} : { key: "AAPL", value: text }),
  });
  await deliver([
    trade(0, '{"trade_id":"T-1", "price":150,"quantity":10}'),
    trade(1, '{"trade_id":"T-1","price":150,"quantity":10}'),
    trade(2, '{"trade_id":"T-2","price":152.25,"quantity":20,"status":"cancelled"}'),
    trade(3, null, { type: "tick" }),
    trade(4, "{"),
    trade(5, Buffer.from([0xff, 0x7b])),
    { topic: "market-aggregated", offset: 0, value: barred("AAPL", M, { offset: 2 }) },
    { topic: "market-aggregated", offset: 1, value: barred("AAPL", M, { offset: 4, revision: 1, count: 4 }) },
    { topic: "market-aggregated", offset: 2, value: barred("AAPL", M + 60_000, { offset: 9, close: null }) },
    { topic: "market-aggregated", offset: 3, value: barred("MSFT", M, { offset: 5, slideMs: 60_000 }) },
    { topic: "market-alerts", offset: 0, value: alerted("AAPL", T, { offset: 2, severity: "LOW" }) },
    { topic: "market-alerts", offset: 1, value: alerted("AAPL", T + 9, { offset: 3, tradeId: "T-3" }) },
    { topic: "market-alerts", offset: 2, value: alerted("AAPL", T + 5, { offset: 4, tradeId: "T-4" }) },
    {
      topic: "market-alerts",
      offset: 3,
      value: alerted("AAPL", T + 9, { offset: 5, tradeId: "T-3", status: "withdrawn" }),
    },
  ]);
  firehose.kill("SIGTERM");
  await once(firehose, "exit");

  const lake = await openLake(lakeDir);
  const select = async (sql: string): Promise<Record<string, unknown>[]> =>
    (await lake.runAndReadAll(sql))
      .getRowObjects()
      .map((row) => Object.fromEntries(Object.entries(row).map(([name, value]) => [name, toJson(value)])));
  try {
    expect(
      await select(
        "SELECT count(*)::int AS n, count(DISTINCT id)::int AS ids, count(value)::int AS values FROM raw_exact",
      ),
    ).toEqual([{ n: 1_201, ids: 1_201, values: 1_200 }]);
    expect(
      await select(
        `SELECT id, topic, partition, "offset"::int AS "offset", timestamp::double AS timestamp, key, key_text, headers,
           headers_text, decode(from_base64(value)) AS value, dt, hour
         FROM raw_exact WHERE "offset" IN (1199, 5000) ORDER BY "offset"`,
      ),
    ).toEqual([
      {
        id: "imu-data-all/2/1199",
        topic: "imu-data-all",
        partition: 2,
        offset: 1_199,
        timestamp: T + 50,
        key: "czI=",
        key_text: "s2",
        headers: [{ name: "content-type", value: "YXBwbGljYXRpb24vanNvbg==", more: false }],
        headers_text: { "content-type": "application/json" },
        value: `{"seq":1199,"t":[${T}],"samples":[[0,0,9.81,0,0,0]]}`,
        dt: "2022-07-11",
        hour: "10",
      },
      {
        id: "imu-data-all/0/5000",
        topic: "imu-data-all",
        partition: 0,
        offset: 5_000,
        timestamp: T + 3_600_000,
        key: null,
        key_text: null,
        headers: [{ name: "type", value: "dGljaw==", more: false }],
        headers_text: { type: "tick" },
        value: null,
        dt: "2022-07-11",
        hour: "11",
      },
    ]);
    expect(await select("SELECT sensor_id, window_end, count::int AS count, accmag FROM aggregated_exact")).toEqual([
      {
        sensor_id: "s1",
        window_end: 1_657_533_978_000,
        count: 100,
        accmag: { mean: 6.5, std: 0.25, min: 6, max: 7, rms: 6.6 },
      },
    ]);
    expect(
      await select('SELECT session_id, "end", samples::int AS samples, supersedes, activity FROM sessions_exact'),
    ).toEqual([{ session_id: `s1@${T}`, end: T + 12.5, samples: 3, supersedes: [], activity: { walking: 0.5 } }]);
    expect(await select("SELECT label, probabilities FROM inference_exact ORDER BY window_start")).toEqual([
      { label: "WALKING", probabilities: { WALKING: 0.75, SITTING: 0.25 } },
      { label: null, probabilities: null },
    ]);
    const named = (name: string): Promise<Record<string, unknown>[]> =>
      select(namedQueries.find((query) => query.name === name)!.sql.replaceAll("2026-01-01", "2022-07-11"));
    expect(await select("SELECT id, from_utf8(from_base64(value)) AS value FROM market_raw_exact ORDER BY id")).toEqual(
      [
        { id: "market-trades/2/0", value: '{"trade_id":"T-1", "price":150,"quantity":10}' },
        { id: "market-trades/2/1", value: '{"trade_id":"T-1","price":150,"quantity":10}' },
        { id: "market-trades/2/2", value: '{"trade_id":"T-2","price":152.25,"quantity":20,"status":"cancelled"}' },
        { id: "market-trades/2/3", value: null },
        { id: "market-trades/2/4", value: "{" },
        { id: "market-trades/2/5", value: null },
      ],
    );
    expect(await named("trades-by-status")).toEqual([
      { status: "executed", records: 2, trades: 1 },
      { status: "no trade", records: 2, trades: 0 },
      { status: "cancelled", records: 1, trades: 1 },
    ]);
    const bar = { open: 150, high: 152.25, low: 150, volume: 30, vwap: 151.5, amount_usd: 4_545 };
    expect(await named("bars-of-a-symbol")).toEqual([
      { ...bar, window_start: M, close: 152.25, count: 4, revision: 1 },
      { ...bar, window_start: M + 60_000, close: null, count: 2, revision: 0 },
    ]);
    expect((await named("alerts-of-a-day")).map((row) => [row["severity"], row["trade_id"], row["limit"]])).toEqual([
      ["HIGH", "T-4", 5_000],
      ["LOW", "T-1", 5_000],
    ]);
    // The first bar knew 2 of its 4 trades when it first fired, the second both of its own.
    expect(await named("completeness-of-bars")).toEqual([
      { dt: "2022-07-11", hour: "10", at_first: 4, in_the_end: 6, completeness: 4 / 6 },
    ]);
  } finally {
    lake.closeSync();
  }
});

test("while Firehose does not answer, each partition is delivered again from its first record", async () => {
  const answer = await unreachable.invoke(
    mskEvent([
      { topic: "imu-data-all", partition: 4, offset: 7, key: "s", value: "{}" },
      { topic: "imu-data-all", partition: 4, offset: 8, key: "s", value: "{}" },
      { topic: "imu-data-all", partition: 5, offset: 9, key: "s", value: "{}" },
    ]),
  );
  expect(answer).toEqual({
    batchItemFailures: [
      { itemIdentifier: { partition: "imu-data-all-4", offset: 7 } },
      { itemIdentifier: { partition: "imu-data-all-5", offset: 9 } },
    ],
  });
}, 30_000);
