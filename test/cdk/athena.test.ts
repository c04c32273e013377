import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { tables, type TableName } from "../../domain/tables.ts";
import { LakeInDuckdb, type LakeRows, translated } from "./lake-in-duckdb.ts";
import { pythonTools } from "./python.ts";
import { resourcesOf, root, synthesised } from "./synthesised.ts";

// The SQL that the templates give Athena: sqlglot reads it as Athena's dialect and translates it for DuckDB, which runs
// it over rows whose results are worked out by hand. dev has the market's queries, too.

const LIMIT_MS = 600_000;
const bin = pythonTools();
const day = { dt: "2026-01-01", hour: "10" };
const base64 = (text: string): string => Buffer.from(text).toString("base64");
const statistics = (mean: number, std: number): object => ({ mean, std, min: mean - std, max: mean + std, rms: mean });
const window = (id: string, sensor: string, start: number, mean: number, at = day): object => ({
  ...at,
  id,
  sensor_id: sensor,
  operator: "tumbling-1000",
  window_start: start,
  window_end: start + 1_000,
  count: 100,
  accmag: statistics(mean, 0.5),
});
const session = (id: string, start: number, end: number | null, samples: number): object => ({
  ...day,
  id,
  type: end === null ? "started" : "ended",
  session_id: `s1@${start}`,
  sensor_id: "s1",
  start,
  end,
  samples,
});
const late = (id: string, sensor: string, t: readonly number[]): object => ({ ...day, id, sensor_id: sensor, t });
const scored = (id: string, label: string | null, hops: number, dt = day.dt): object => ({
  ...day,
  dt,
  id,
  label,
  window_start: 0,
  window_end: hops * 1_800_000,
});
const bar = (id: string, start: number, revision: number, count: number, cancelled: number, close: number): object => ({
  ...day,
  id,
  symbol: "AAPL",
  operator: "tumbling-60000",
  window_start: start,
  revision,
  count,
  cancelled,
  ...{ open: 1, high: 3, low: 1, close, volume: 10, vwap: 2 },
  notional: { sum: 20, mean: 5, min: 1, max: 9 },
});
const alert = (id: string, severity: string, status: string, timestamp: number): object => ({
  ...day,
  id,
  alert_id: id.split("#")[0],
  severity,
  status,
  rule: "large",
  symbol: "AAPL",
  account: "A-1",
  trade_id: "T",
  figure: 7,
  limit: 5,
  amount_usd: 7,
  timestamp,
});
const trade = (id: string, symbol: string, value: string | null): object => ({
  ...day,
  id,
  key_text: symbol,
  parts: 1,
  value: value === null ? null : base64(value),
});

const refused = (id: string, offset: number): object => ({
  id,
  part: 0,
  error_code: "output-too-large",
  error_message: "it has too many bytes",
  source_topic: "imu-data-all",
  source_partition: 3,
  source_offset: offset,
});

/** Rows of the tables. */
const rows: LakeRows = {
  raw: [
    { ...day, id: "imu-data-all/3/1234", key_text: "s01-sw", timestamp: 5_500 },
    { ...day, id: "imu-data-all/3/12345", key_text: "s01-sw", timestamp: 5_600 },
  ],
  dead_letters: [
    { ...day, ...refused("dead-letter/3/7", 1_234), timestamp: 5_600 },
    { ...day, ...refused("dead-letter/3/8", 1_235), timestamp: 5_700 },
  ],
  aggregated: [
    window("imu-data-all/3/1234/0", "another", 5_000, 9),
    window("imu-data-all/3/12345/0", "another", 6_000, 9),
    window("1", "s01-sw", 2_000, 9.5),
    window("2", "s01-sw", 1_000, 9),
    window("3", "other", 1_000, 8),
    window("4", "s01-sw", 3_000, 7, { dt: "2026-01-02", hour: "00" }),
    { ...window("5", "my-device", 2_000, 6), revision: 1 },
    { ...window("6", "my-device", 2_000, 4), revision: 0 },
    { ...window("7", "my-device", 1_000, 5), revision: 0 },
  ],
  sessions: [session("1", 1_000, 4_500, 350), session("2", 2_000, 12_000, 900), session("3", 9_000, null, 1)],
  late: [late("1", "s1", [1, 2, 3]), late("2", "s2", [1, 2, 3, 4, 5]), late("3", "s1", [4])],
  inference: [scored("1", "WALKING", 3), scored("2", "SITTING", 4), scored("3", "WALKING", 1, "2026-01-03")],
  market_aggregated: [
    bar("1", 60_000, 0, 2, 0, 2),
    bar("2", 60_000, 1, 3, 1, 3),
    bar("3", 0, 0, 5, 0, 1),
    { ...bar("4", 0, 3, 9, 0, 1), operator: "sliding-300000-60000" },
  ],
  market_alerts: [
    alert("a#0", "LOW", "raised", 1),
    alert("b#0", "CRITICAL", "raised", 9),
    alert("c#0", "HIGH", "raised", 2),
    alert("c#1", "HIGH", "withdrawn", 2),
    alert("d#0", "CRITICAL", "raised", 3),
  ],
  market_raw: [
    trade("1", "AAPL", '{"trade_id":"T-1","price":1}'),
    trade("2", "AAPL", '{"trade_id":"T-1","price":1}'),
    trade("3", "MSFT", '{"trade_id":"T-1","status":"cancelled"}'),
    trade("4", "AAPL", null),
    trade("5", "AAPL", '{"price":1}'),
  ],
};

/** What each named query answers. The first rows count once, though they are there twice. */
const answers: Readonly<Record<string, readonly object[]>> = {
  "windows-of-a-sensor": [
    { window_start: 1_000, count: 100, acceleration_mean: 9, acceleration_std: 0.5 },
    { window_start: 2_000, count: 100, acceleration_mean: 9.5, acceleration_std: 0.5 },
  ],
  "sessions-by-length": [
    { session_id: "s1@2000", sensor_id: "s1", seconds: 10, samples: 900 },
    { session_id: "s1@1000", sensor_id: "s1", seconds: 3.5, samples: 350 },
  ],
  "late-by-sensor": [
    { ...day, sensor_id: "s2", records: 1, readings: 5 },
    { ...day, sensor_id: "s1", records: 2, readings: 4 },
  ],
  "activity-per-day": [
    { dt: "2026-01-01", label: "SITTING", hours: 2 },
    { dt: "2026-01-01", label: "WALKING", hours: 1.5 },
    { dt: "2026-01-03", label: "WALKING", hours: 0.5 },
  ],
  "story-of-a-record": [
    { place: "aggregated", id: "imu-data-all/3/1234/0", at: 5_000, what: "tumbling-1000" },
    { place: "raw", id: "imu-data-all/3/1234", at: 5_500, what: "s01-sw" },
    { place: "dead_letters", id: "dead-letter/3/7", at: 5_600, what: "output-too-large: it has too many bytes" },
  ],
  "bars-of-a-symbol": [
    { window_start: 0, close: 1, count: 5, revision: 0 },
    { window_start: 60_000, close: 3, count: 3, revision: 1 },
  ].map((figures) => ({ ...figures, open: 1, high: 3, low: 1, volume: 10, vwap: 2, amount_usd: 20 })),
  "alerts-of-a-day": [
    { severity: "CRITICAL", timestamp: 3 },
    { severity: "CRITICAL", timestamp: 9 },
    { severity: "LOW", timestamp: 1 },
  ].map((found) => ({
    ...found,
    ...{ rule: "large", symbol: "AAPL", account: "A-1", trade_id: "T", figure: 7, limit: 5, amount_usd: 7 },
  })),
  "trades-by-status": [
    { status: "executed", records: 2, trades: 1 },
    { status: "cancelled", records: 1, trades: 1 },
    { status: "no trade", records: 1, trades: 0 },
  ],
  // 2 + 5 trades when the bars first fired, 4 + 5 in the end.
  "completeness-of-bars": [{ ...day, at_first: 7, in_the_end: 9, completeness: 7 / 9 }],
};

let lake: LakeInDuckdb;
let queries: ReadonlyMap<string, string>;

(bin === undefined ? test.skip : test)(
  "has no query in the templates without an answer here, and no view without rows",
  () => {
    expect([...queries.keys()].toSorted()).toEqual(Object.keys(answers).toSorted());
    expect([...lake.views.keys()].toSorted()).toEqual(
      Object.keys(tables)
        .map((name) => `${name}_exact`)
        .toSorted(),
    );
  },
);

(bin === undefined ? test.skip : test).each(Object.keys(tables))("the view of %s has one row per id", async (name) => {
  const given = rows[name as TableName]?.length ?? 0;
  const count = async (of: string): Promise<unknown> =>
    (await lake.select(`SELECT count(*) AS n FROM "${of}"`))[0]!["n"];
  expect([await count(name), await count(`${name}_exact`)]).toEqual([given === 0 ? 0 : given + 1, given]);
});

(bin === undefined ? test.skip : test).each(Object.keys(answers))(
  "the query %s answers what its rows say",
  async (name) => {
    expect(await lake.select(queries.get(name)!)).toEqual(answers[name]);
  },
);

(bin === undefined ? test.skip : test)("the notebook's query gives the newest revision of each window", async () => {
  const notebook = readFileSync(join(root, "examples/notebook/lake.ipynb"), "utf8");
  const { cells } = JSON.parse(notebook) as { cells: readonly { source: readonly string[] }[] };
  const sql = /```sql\n(.*?)```/s.exec(cells.map(({ source }) => source.join("")).join("\n"))![1]!;
  expect(await lake.select(translated(new Map([["notebook", sql]])).get("notebook")!)).toEqual([
    { window_start: 1_000, count: 100, mean: 5, std: 0.5 },
    { window_start: 2_000, count: 100, mean: 6, std: 0.5 },
  ]);
});

beforeAll(async () => {
  if (bin === undefined) return;
  queries = translated(
    new Map(
      resourcesOf(await synthesised("dev"), "AWS::Athena::NamedQuery").map(({ resource: { Properties } }) => [
        String(Properties["Name"]),
        String(Properties["QueryString"]),
      ]),
    ),
  );
  lake = await LakeInDuckdb.open(rows);
}, LIMIT_MS);

afterAll(() => lake?.close());
