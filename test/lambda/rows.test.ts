import { createHash } from "node:crypto";
import { expect, test } from "@jest/globals";
import { encodePackedImu } from "../../domain/packed-imu.ts";
import { tables } from "../../domain/tables.ts";
import { recordsOf } from "../../lambda/shared/kafka-event.ts";
import { lakeTables, MAX_ROW_BYTES, partition, type Row } from "../../lambda/write-lake/rows.ts";
import { mskEvent, type RecordSpec } from "./events.ts";
import { ended, inferred, started, windowed } from "./records.ts";

function row(spec: RecordSpec): Row | null {
  return lakeTables[spec.topic]!.toRow(recordsOf(mskEvent([spec]))[0]!);
}

// 1657533977813 is 2022-07-11T10:06:17.813Z.
const T = 1_657_533_977_813;
const raw = (more: Partial<RecordSpec>): Row | null =>
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
  const market = {
    id: "m",
    symbol: "X",
    operator: "tumbling-1000",
    window: { start: T, end: T + 1_000 },
    revision: 0,
    cause: "watermark",
    count: 2,
    open: 1,
    high: 2,
    low: 1,
    close: 2,
    volume: 3,
    vwap: 1.5,
  };
  const values: Record<string, unknown> = {
    "imu-data-all": "{}",
    "sensor-data-aggregated": windowed("s1", T),
    "new-session-topic": ended("s1", T, T + 5, 2),
    "sensor-inference": inferred("s1", T, { shadow: "SITTING" }),
    "sensor-data-late": late,
    "market-aggregated": market,
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

test("a raw row is the record as it is in the log, in the hour of its first sample", () => {
  const value = `{"seq": 17, "t" : [ ${T}, ${T + 10}], "samples": []}`;
  expect(raw({ value, headers: { "content-type": "application/json", "ingest-ms": "5" } })).toEqual({
    dt: "2022-07-11",
    hour: "10",
    id: "imu-data-all/3/41",
    topic: "imu-data-all",
    partition: 3,
    offset: 41,
    timestamp: T + 7_200_000,
    key: "s1",
    headers: { "content-type": "application/json", "ingest-ms": "5" },
    value: Buffer.from(value).toString("base64"),
  });
});

const packed = Buffer.from(encodePackedImu({ seq: 1, t: T, hz: 100, samples: [[1, 2, 3, 4, 5, 6]] } as never));
test.each([
  ["one time", { value: `{"t":${T},"hz":100}` }, "10"],
  ["fractions", { value: `{"t":[${T}.25]}` }, "10"],
  ["packed", { value: packed, headers: { "content-type": "application/x-millrace-imu" } }, "10"],
  ["packed bytes that are none", { value: "{}", headers: { "content-type": "application/x-millrace-imu" } }, "12"],
  ["no JSON", { value: "corrupt" }, "12"],
  ["another t", { value: '{"test":1,"t":"x"}' }, "12"],
  ["a time in the year 2100", { value: '{"t":[4102444800000]}' }, "12"],
  ["a negative time", { value: '{"t":[-5]}' }, "12"],
  ["a tick", { headers: { type: "tick" } }, "12"],
])("the hour of %s", (_, more, hour) => {
  expect(raw(more)).toMatchObject({ dt: "2022-07-11", hour });
});

test("a control record has neither key nor value", () => {
  expect(row({ topic: "imu-data-all", offset: 5, timestamp: T, headers: { type: "tick" } })).toMatchObject({
    id: "imu-data-all/0/5",
    key: null,
    value: null,
    headers: { type: "tick" },
  });
});

test("a value that no row can hold is described by its size and digest", () => {
  const value = Buffer.alloc(900_000, 7);
  const result = raw({ value })!;
  expect(result).toMatchObject({
    value: null,
    headers: { "full-size": "900000", "full-sha256": createHash("sha256").update(value).digest("hex") },
  });
  expect(JSON.stringify(raw({ value: Buffer.alloc(128 * 1024, 7) })).length).toBeLessThan(MAX_ROW_BYTES);
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

test("partitions are of UTC, and of the four-digit years", () => {
  expect([0, T, -1, 1e300].map(partition)).toEqual([
    { dt: "1970-01-01", hour: "00" },
    { dt: "2022-07-11", hour: "10" },
    { dt: "1970-01-01", hour: "00" },
    { dt: "9999-12-31", hour: "23" },
  ]);
});
