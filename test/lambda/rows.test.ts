import { expect, test } from "@jest/globals";
import { projectedDates, tables } from "../../domain/tables.ts";
import { recordsOf } from "../../lambda/shared/kafka-event.ts";
import { partition, reachAt } from "../../lambda/write-lake/partition.ts";
import { lakeTables, type Row } from "../../lambda/write-lake/rows.ts";
import { mskEvent, type RecordSpec } from "./events.ts";
import { alerted, barred, ended, inferred, started, windowed } from "./records.ts";

const generations = { sensor: 1, market: 1 };
const reach = reachAt(Date.UTC(2022, 6, 12), Date.UTC(2016, 0, 1));

function row(spec: RecordSpec): Row | undefined {
  return lakeTables[spec.topic]!.toRows(recordsOf(mskEvent([spec]))[0]!, reach, generations)[0];
}

// 1657533977813 is 2022-07-11T10:06:17.813Z.
const T = 1_657_533_977_813;
const raw = (more: Partial<RecordSpec>): Row | undefined =>
  row({ topic: "imu-data-all", partition: 3, offset: 41, timestamp: T + 7_200_000, key: "s1", ...more });

test("each topic of the lake has rows with the columns of its table, and no others", () => {
  const late = {
    id: "l",
    schema: 1,
    sensorId: "s1",
    seq: 4,
    operator: "window",
    window: { start: T, end: T + 1_000 },
    t: [T + 5],
    samples: [[1, 2, 3, 4, 5, 6]],
  };
  const values: Record<string, unknown> = {
    "imu-data-all": "{}",
    "sensor-data-aggregated": windowed("s1", T),
    "new-session-topic": ended("s1", T, T + 5, 2),
    "sensor-inference": inferred("s1", T, { shadow: "SITTING" }),
    "sensor-data-late": late,
    "market-trades": "{}",
    "market-aggregated": barred("X", T),
    "market-alerts": alerted("X", T),
    "dead-letter": "corrupt",
  };
  for (const [topic, { table }] of Object.entries(lakeTables)) {
    expect(tables[table].sources).toContain(topic);
    const columns = Object.keys(row({ topic, offset: 1, key: "s1", value: values[topic] })!);
    expect([table, columns.toSorted()]).toEqual([
      table,
      [...tables[table].columns.map(({ name }) => name), "dt", "hour"].toSorted(),
    ]);
  }
  expect(
    Object.values(lakeTables)
      .map(({ table }) => table)
      .toSorted(),
  ).toEqual(Object.keys(tables).toSorted());
});

test("a raw row is the record as it is in the log, in the hour of its timestamp, whatever its payload says", () => {
  const value = `{"seq": 17, "meta": {"t": 5}, "t" : [ ${T}, ${T + 10}], "samples": []}`;
  expect(raw({ value, headers: { "content-type": "application/json", "ingest-ms": "5" } })).toEqual({
    dt: "2022-07-11",
    hour: "12",
    id: "imu-data-all/3/41",
    topic: "imu-data-all",
    partition: 3,
    offset: 41,
    timestamp: T + 7_200_000,
    part: 0,
    parts: 1,
    key: "czE=",
    headers: [
      { name: "content-type", value: "YXBwbGljYXRpb24vanNvbg==", more: false },
      { name: "ingest-ms", value: "NQ==", more: false },
    ],
    value: Buffer.from(value).toString("base64"),
    key_text: "s1",
    headers_text: { "content-type": "application/json", "ingest-ms": "5" },
  });
});

test("a control record has neither key nor value", () => {
  expect(row({ topic: "imu-data-all", offset: 5, timestamp: T, headers: { type: "tick" } })).toMatchObject({
    id: "imu-data-all/0/5",
    key: null,
    value: null,
    key_text: null,
    headers_text: { type: "tick" },
  });
});

test("a dead letter is its record, with its reason and its source", () => {
  const headers = {
    "content-type": "text/plain",
    "error-code": "unknown-content-type",
    "error-message": "use application/json",
    stage: "processor",
    "source-topic": "imu-data-all",
    "source-partition": "3",
    "source-offset": "41",
  };
  expect(row({ topic: "dead-letter", offset: 9, timestamp: T, key: "s1", value: "x", headers })).toMatchObject({
    dt: "2022-07-11",
    hour: "10",
    id: "dead-letter/0/9",
    value: "eA==",
    error_code: "unknown-content-type",
    error_message: "use application/json",
    stage: "processor",
    source_topic: "imu-data-all",
    source_partition: 3,
    source_offset: 41,
    headers_text: headers,
  });
});

test("windows and sessions have the values of their records", () => {
  expect(
    row({ topic: "sensor-data-aggregated", offset: 1, value: windowed("s1", T - 813, { revision: 2, count: 7 }) }),
  ).toMatchObject({
    dt: "2022-07-11",
    hour: "10",
    sensor_id: "s1",
    operator: "tumbling-1000",
    window_start: 1_657_533_977_000,
    window_end: 1_657_533_978_000,
    revision: 2,
    cause: "late",
    count: 7,
    accmag: { mean: 6.5, std: 0.25, min: 6, max: 7, rms: 6.6 },
  });
  expect(row({ topic: "new-session-topic", offset: 1, value: started("s1", T) })).toEqual({
    dt: "2022-07-11",
    hour: "10",
    id: "imu-data-all/0/0/0",
    type: "started",
    session_id: `s1@${T}`,
    sensor_id: "s1",
    start: T,
    end: null,
    samples: null,
    revision: null,
    cause: null,
    supersedes: [],
    activity: null,
    warnings: null,
  });
  expect(
    row({
      topic: "new-session-topic",
      offset: 1,
      value: ended("s1", T, T + 5, 2, { supersedes: ["s1@1"], activity: { walking: 2 }, warnings: ["odd"] }),
    }),
  ).toMatchObject({
    end: T + 5,
    samples: 2,
    revision: 0,
    cause: "watermark",
    supersedes: ["s1@1"],
    activity: { walking: 2 },
    warnings: ["odd"],
  });
  expect(() => row({ topic: "sensor-data-aggregated", offset: 1, value: "{}" })).toThrow();
});

test("an inference without a label has a row without label and probabilities", () => {
  expect(
    row({ topic: "sensor-inference", offset: 1, value: inferred("s1", T, { label: null, shadow: null }) }),
  ).toEqual({
    dt: "2022-07-11",
    hour: "10",
    id: "imu-data-all/0/0/0",
    sensor_id: "s1",
    window_start: T,
    window_end: T + 250,
    label: null,
    probabilities: null,
    model_name: "activity",
    model_version: "3",
  });
});

test("a bar and an alert have all that their records say", () => {
  expect(
    row({ topic: "market-aggregated", offset: 1, value: barred("AAPL", T - 17_813, { revision: 2, cancelled: 1 }) }),
  ).toEqual({
    dt: "2022-07-11",
    hour: "10",
    id: "market-trades/0/0/0",
    symbol: "AAPL",
    operator: "tumbling-60000",
    window_start: 1_657_533_960_000,
    window_end: 1_657_534_020_000,
    revision: 2,
    cause: "late",
    count: 2,
    pending: 0,
    cancelled: 1,
    open: 150,
    high: 152.25,
    low: 150,
    close: 152.25,
    volume: 30,
    vwap: 151.5,
    notional: { sum: 4_545, mean: 2_272.5, min: 1_500, max: 3_045 },
    first_trade: 1_657_533_961_000,
    last_trade: 1_657_533_970_000,
  });
  expect(row({ topic: "market-alerts", offset: 1, value: alerted("AAPL", T, { status: "withdrawn" }) })).toEqual({
    dt: "2022-07-11",
    hour: "10",
    id: "market-trades/0/0/0",
    symbol: "AAPL",
    alert_id: "AAPL/T-1/large-trade",
    rule: "large-trade",
    kind: "trade-amount",
    severity: "HIGH",
    status: "withdrawn",
    revision: 1,
    figure: 6_010,
    limit: 5_000,
    trade_id: "T-1",
    timestamp: T,
    price: 150.25,
    quantity: 40,
    amount: 6_010,
    currency: "USD",
    side: "buy",
    account: "ACC-7",
    trade_status: "cancelled",
    amount_usd: 6_010,
    reference: "2022-07",
  });
});

test("each log has the generation of its own pipeline", () => {
  const idOf = (topic: string): unknown =>
    lakeTables[topic]!.toRows(recordsOf(mskEvent([{ topic, offset: 7 }]))[0]!, reach, { sensor: 2, market: 3 })[0]!.id;
  expect([idOf("imu-data-all"), idOf("market-trades")]).toEqual(["imu-data-all~2/0/7", "market-trades~3/0/7"]);
});

test("a time lies in its hour in UTC, or at the end of what the projection reaches", () => {
  expect(
    [T, -1, 0, Date.UTC(2016, 0, 1) - 1, Date.UTC(2022, 6, 13, 0, 30), 1e300].map((ms) => partition(ms, reach)),
  ).toEqual([
    { dt: "2022-07-11", hour: "10" },
    { dt: "2016-01-01", hour: "00" },
    { dt: "2016-01-01", hour: "00" },
    { dt: "2016-01-01", hour: "00" },
    { dt: "2022-07-13", hour: "00" },
    { dt: "2022-07-13", hour: "00" },
  ]);
  expect([Date.UTC(2016, 0, 1), -8.64e15, 8.64e15].map(projectedDates)).toEqual([
    "2016-01-01,NOW+1DAYS",
    "0001-01-01,NOW+1DAYS",
    "9999-12-31,NOW+1DAYS",
  ]);
});

test("a window that begins before the earliest time of a reading lies in a partition that a query reaches", () => {
  expect(
    row({ topic: "sensor-data-aggregated", offset: 1, value: windowed("s1", Date.UTC(2015, 11, 31, 23, 59)) }),
  ).toMatchObject({ dt: "2016-01-01", hour: "00", window_start: Date.UTC(2015, 11, 31, 23, 59) });
});
