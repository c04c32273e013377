import { expect, test } from "@jest/globals";
import { Metrics } from "../../../adapters/metrics.ts";
import { eventSourceMappings } from "../../../domain/event-source-mappings.ts";
import { Audit } from "../../../lambda/audit-output/audit.ts";
import { auditedOutputs } from "../../../lambda/audit-output/outputs.ts";
import { recordsOf } from "../../../lambda/shared/kafka-event.ts";
import { mskEvent, type RecordSpec } from "../events.ts";
import { ended, inferred, started, windowed } from "../records.ts";

const T = 1_657_533_977_000;
const AGGREGATED = "sensor-data-aggregated";
/** Nearly an hour after the windows: their latency is that long. */
const STARTED = T;

function newAudit(): { audit: Audit; metrics: Metrics; take: (records: RecordSpec[], nowMs?: number) => unknown[] } {
  const metrics = new Metrics();
  let time = STARTED;
  const options = { idleTimeoutMs: 10_000, latenessMs: 300_000, startedMs: STARTED, now: () => time };
  const audit = new Audit(options, metrics);
  const take = (records: RecordSpec[], nowMs = T + 60_000): unknown[] => {
    time = nowMs;
    return audit.take(recordsOf(mskEvent(records)), nowMs).map(({ record, error }) => [record.offset, error.name]);
  };
  return { audit, metrics, take };
}
/** A window record `second` seconds after T, whose id names the input offset 10 × second. */
const window = (offset: number, second: number, more: Partial<RecordSpec> = {}): RecordSpec => ({
  topic: AGGREGATED,
  offset,
  timestamp: T + second * 1_000 + 1_700,
  value: windowed("s1", T + second * 1_000, { offset: 10 * second }),
  ...more,
});
const trade = { trade_id: "t1", timestamp: T, price: 10, currency: "USD", status: "executed" };
const base = { id: "market-trades/0/5/0", schema: 1, symbol: "AAPL" };

test("latency counts from the window's end and from ingest, to the record's timestamp and to the reading", () => {
  const { metrics, take } = newAudit();
  const headers = { "ingest-ms": String(T + 1_550) };
  // The window ends at T + 1,000, its record is of T + 1,700 and is read at T + 2,100.
  take([window(0, 0, { headers })], T + 2_100);
  expect(metrics.snapshot()).toMatchObject({
    "audit-output.records": 1,
    "audit-output.sensor-event-to-output": { count: 1, p50: 700, p95: 700, p99: 700 },
    "audit-output.sensor-event-to-read": { count: 1, p50: 1_100 },
    "audit-output.sensor-ingest-to-output": { count: 1, p50: 150 },
    "audit-output.sensor-ingest-to-read": { count: 1, p50: 550 },
    "audit-output.sensor-first-readings": 100,
    "audit-output.sensor-readings": 100,
  });
});

test("a record that was written before the environment began has waited for it: when it is read says nothing", () => {
  const { metrics, take } = newAudit();
  take([window(0, -10, { headers: { "ingest-ms": String(T - 8_900) } })]);
  const {
    "audit-output.sensor-event-to-read": toRead,
    "audit-output.sensor-ingest-to-read": ingestToRead,
    ...rest
  } = metrics.snapshot();
  expect([toRead, ingestToRead]).toEqual([undefined, undefined]);
  expect(rest).toMatchObject({
    "audit-output.sensor-event-to-output": { count: 1, p50: 700 },
    "audit-output.sensor-ingest-to-output": { count: 1, p50: 600 },
  });
});

test("windows that did not fire by the watermark for the first time have no latency from event time", () => {
  const { metrics, take } = newAudit();
  const value = windowed("s1", T, { offset: 1, revision: 1 });
  take([window(0, 0), window(1, 0, { value }), window(2, 0, { value: { ...value, id: "imu-data-all/0/2/0" } })]);
  expect(metrics.snapshot()["audit-output.sensor-event-to-output"]).toMatchObject({ count: 1 });
});

test("a record that is delivered again is no repeated id, and an id at another offset is", () => {
  const { audit, metrics, take } = newAudit();
  take([window(0, 0), window(1, 1)]);
  take([window(1, 1), window(2, 2)]);
  // Input offset 10 again, as after an aborted transaction.
  take([window(3, 1, { timestamp: T + 9_000 }), window(4, 3)]);
  expect(metrics.snapshot()).toMatchObject({
    "audit-output.records": 5,
    "audit-output.redelivered": 1,
    "audit-output.repeated-ids": 1,
    "audit-output.sensor-readings": 400,
  });
  expect(audit.summary()).toMatchObject({ redelivered: 1, repeatedIds: 1, idsOutOfOrder: 0, begunAnew: 0 });
});

test("a window that is missing is open, then missing; one that is late is neither", () => {
  const { audit, metrics, take } = newAudit();
  take([window(0, 0), window(2, 2), window(3, 4)]);
  expect(metrics.snapshot()["audit-output.open-gaps"]).toBe(2);
  take([window(4, 1, { value: windowed("s1", T + 1_000, { offset: 45 }) })]);
  expect(metrics.snapshot()).toMatchObject({ "audit-output.open-gaps": 1, "audit-output.keys": 1 });
  take([window(5, 400)]);
  expect(metrics.snapshot()).toMatchObject({ "audit-output.open-gaps": 0, "audit-output.sensor-missing-windows": 1 });
  expect(audit.summary()).toMatchObject({ missingWindows: { sensor: 1, market: 0 } });
});

test("records that were read elsewhere make no hole: the partition begins anew", () => {
  const { metrics, take } = newAudit();
  // Offset 1 ends a transaction, and offsets 4 to 9 are more than two transactions' ends.
  take([window(0, 0), window(2, 1)]);
  take([window(10, 5), window(11, 400)]);
  expect(metrics.snapshot()).toMatchObject({ "audit-output.begun-anew": 1, "audit-output.open-gaps": 0 });
  expect(metrics.snapshot()["audit-output.sensor-missing-windows"]).toBeUndefined();
});

test("a topic that was made anew begins at its lowest offset, with other ids", () => {
  const { metrics, take } = newAudit();
  take([window(100, 0), window(101, 1)]);
  const anew = { ...windowed("s1", T + 2_000), id: "imu-data-all~2/0/0/0" };
  take([window(0, 2, { value: anew }), window(1, 3)]);
  expect(metrics.snapshot()).toMatchObject({ "audit-output.records": 4, "audit-output.begun-anew": 1 });
  expect(metrics.snapshot()["audit-output.redelivered"]).toBeUndefined();
  expect(metrics.snapshot()["audit-output.repeated-ids"]).toBeUndefined();
});

test("completeness is told by pipeline: readings in revision 0 over all", () => {
  const { audit, take } = newAudit();
  const late = {
    id: "imu-data-all/0/90/0",
    schema: 1,
    sensorId: "s1",
    seq: 1,
    operator: "window",
    window: { start: T, end: T + 1_000 },
    t: [T, T + 1],
    samples: [[], []],
  };
  take([
    window(0, 0),
    window(1, 0, { value: windowed("s1", T, { offset: 20, revision: 1, count: 108 }) }),
    { topic: "sensor-data-late", offset: 0, value: late },
    { topic: "sensor-data-late", offset: 1, value: { ...late, id: "imu-data-all/0/90/1", operator: "session" } },
  ]);
  // 100 of 100 + 8 + 2.
  expect(audit.summary()).toMatchObject({ completeness: { sensor: 100 / 110, market: null } });
});

test("the market's outputs are read by their own contracts", () => {
  const { audit, metrics, take } = newAudit();
  const minute = T - (T % 60_000);
  const bar = {
    ...base,
    operator: "tumbling-60000",
    window: { start: minute, end: minute + 60_000 },
    revision: 0,
    cause: "watermark",
    count: 7,
    pending: 2,
    cancelled: 1,
    firstTrade: minute + 5,
    lastTrade: minute + 59_000,
  };
  const timestamp = minute + 61_000;
  const unread = take(
    [
      { topic: "market-enriched", offset: 0, timestamp: T + 40, value: { ...base, ...trade, flags: [], amountUsd: 1 } },
      {
        topic: "market-enriched",
        offset: 1,
        timestamp: T + 9_000,
        value: { ...base, ...trade, id: "market-trades/0/9/0", status: "cancelled" },
      },
      { topic: "market-aggregated", offset: 0, timestamp, value: bar },
      { topic: "market-positions", offset: 0, timestamp: T + 50, value: { ...base, account: "a", timestamp: T } },
      { topic: "market-alerts", offset: 0, timestamp: T + 60, value: { ...base, status: "raised", trade } },
      {
        topic: "market-alerts",
        offset: 1,
        timestamp,
        value: { ...base, id: "market-trades/0/6/0", status: "withdrawn", trade },
      },
      { topic: "market-late", offset: 0, timestamp, value: { ...base, operator: "tumbling-60000" } },
    ],
    minute + 61_500,
  );
  expect(unread).toEqual([]);
  expect(metrics.snapshot()).toMatchObject({
    "audit-output.market-event-to-output": { count: 1, p50: 40 },
    "audit-output.market-first-readings": 10,
    "audit-output.market-readings": 11,
  });
  expect(audit.summary()).toMatchObject({
    completeness: { sensor: null, market: 10 / 11 },
    topics: {
      "market-aggregated": { records: 1, eventToOutput: { p50: 1_000 }, eventToRead: { p50: 1_500 } },
      "market-positions": { eventToOutput: { p50: 50 } },
      "market-alerts": { records: 2, eventToOutput: { p50: 60 } },
    },
  });
});

test("the log's summary has every topic, also those without a metric of their own", () => {
  const { audit, metrics, take } = newAudit();
  take([
    { topic: "new-session-topic", offset: 0, timestamp: T + 300, value: started("s1", T) },
    {
      topic: "new-session-topic",
      offset: 1,
      timestamp: T + 9_000,
      value: ended("s1", T, T + 3_000, 300, { offset: 1 }),
    },
    { topic: "sensor-inference", offset: 0, timestamp: T + 310, value: inferred("s1", T) },
  ]);
  expect(audit.summary()).toMatchObject({
    topics: {
      "new-session-topic": { records: 2, eventToOutput: { p50: 300, p95: 300, p99: 300 } },
      "sensor-inference": { records: 1, eventToOutput: { p50: 60 } },
    },
  });
  expect(metrics.snapshot()["audit-output.sensor-event-to-output"]).toBeUndefined();
});

test("what does not follow its contract is counted and named, and the rest is taken", () => {
  const { metrics, take } = newAudit();
  expect(
    take([
      window(0, 0, { value: "{" }),
      window(1, 1, { value: { id: "x" } }),
      window(2, 2),
      window(3, 3, { value: undefined }),
    ]),
  ).toEqual([
    [0, "SyntaxError"],
    [1, "ZodError"],
    [3, "ZodError"],
  ]);
  expect(metrics.snapshot()).toMatchObject({ "audit-output.unreadable": 3, "audit-output.sensor-readings": 100 });
});

test("the function gets the topics that it can read, of the pipeline that writes them", () => {
  const mapped = eventSourceMappings.filter(({ functionName }) => functionName === "audit-output");
  expect(new Map(mapped.map(({ topic, pipeline }) => [topic, pipeline]))).toEqual(
    new Map(Object.entries(auditedOutputs).map(([topic, { pipeline }]) => [topic, pipeline])),
  );
});

test("completeness is of the last five minutes, and of none without a reading", () => {
  const { metrics, take } = newAudit();
  const completeness = (): unknown => metrics.snapshot()["audit-output.sensor-completeness"];
  const late = { id: "imu-data-all/0/7/0", schema: 1, sensorId: "s1", operator: "window", t: [1, 2, 3, 4] };
  expect(completeness()).toBeUndefined();
  // A window of 100 readings, then 4 that missed theirs: 100 of 104.
  take([window(0, 0)], T + 2_000);
  take([{ topic: "sensor-data-late", offset: 0, timestamp: T + 200_000, value: late }], T + 200_000);
  expect(completeness()).toBeCloseTo((100 * 100) / 104);
  // The window is five minutes ago: what is left is 0 of 4, then nothing.
  take([], T + 310_000);
  expect(completeness()).toBe(0);
  take([], T + 510_000);
  expect(completeness()).toBeUndefined();
});
