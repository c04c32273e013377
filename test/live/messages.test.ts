import { expect, test } from "@jest/globals";
import { MAX_MESSAGE_BYTES } from "../../domain/api.ts";
import { encodeColumns } from "../../domain/columns.ts";
import { inferenceRecord, sessionRecord } from "../../domain/records.ts";
import { liveTopics, readRecord, samplesMessages, toMessage } from "../../live/messages.ts";
import { alerted, barred, ended, enriched, inferred, windowed } from "../lambda/records.ts";

const rows = (count: number): { t: number[]; ax: number[]; lax: number[] } => ({
  t: Array.from({ length: count }, (_, i) => 1_657_533_977_813.5 + i * 5),
  ax: Array.from({ length: count }, (_, i) => i / 8),
  lax: Array.from({ length: count }, (_, i) => -i / 3),
});

test("the packed and the JSON form of a transformed message give the same samples", () => {
  const { t, ax, lax } = rows(3);
  const header = {
    id: "imu-data-all/0/1/0",
    schema: 1,
    sensorId: "s1",
    seq: 7,
    boot: "a1",
    count: 3,
    columns: ["ax", "lax"],
  };
  const packed = readRecord(
    "sensor-data-transformed",
    "application/x-millrace-columns",
    Buffer.from(
      encodeColumns(JSON.stringify(header), 3, Float64Array.from(t), Float64Array.from([...ax, ...lax]), 2, 3),
    ),
  );
  const json = readRecord(
    "sensor-data-transformed",
    "application/json",
    Buffer.from(JSON.stringify({ id: header.id, schema: 1, sensorId: "s1", seq: 7, boot: "a1", t, ax, lax })),
  );
  const text = (record: typeof packed): string[] =>
    samplesMessages(record.data as never, 0, 3).map((message) => message.text);
  expect(text(packed)).toEqual([
    '{"type":"samples","data":{"sensorId":"s1","id":"imu-data-all/0/1/0","seq":7,"boot":"a1",' +
      '"t":[1657533977813.5,1657533977818.5,1657533977823.5],"ax":[0,0.125,0.25],"lax":[0,-0.33333334,-0.6666667]}}',
  ]);
  // JSON carries doubles, which live passes on.
  expect(JSON.parse(text(json)[0]!)).toMatchObject({ data: { sensorId: "s1", seq: 7, boot: "a1", t, ax } });
});

test("samples that exceed a frame come in parts that together are the whole", () => {
  const { t, ax, lax } = rows(1_000);
  const columns = { ax, ay: lax, az: lax, gx: lax, gy: lax, gz: lax, accMag: ax, gyroMag: ax, lax, lay: lax, laz: lax };
  const messages = samplesMessages({ id: "i", sensorId: "s1", seq: 1, t, columns }, 0, 1_000);
  const data = messages.map(
    ({ text }) => (JSON.parse(text) as { data: { t: number[]; ax: number[]; part: number; parts: number } }).data,
  );
  expect(messages.length).toBeGreaterThan(1);
  expect(Math.max(...messages.map(({ text }) => Buffer.byteLength(text)))).toBeLessThan(32 * 1024);
  expect(data.map(({ part, parts }) => [part, parts])).toEqual(data.map((_, i) => [i, messages.length]));
  expect(data.flatMap((part) => part.t)).toEqual(t);
  expect(data.flatMap((part) => part.ax)).toEqual(ax);
  expect(messages.reduce((sum, { droppable }) => sum + droppable!, 0)).toBe(1_000);
});

test("an inference without a label, as of a model that gives no finite number, is passed on unchanged", () => {
  const record = inferred("s1", 0, { label: null, shadow: "WALKING" });
  const message = toMessage(readRecord("sensor-inference", undefined, Buffer.from(JSON.stringify(record))) as never);
  expect(JSON.parse(message.text)).toEqual({ type: "inference", data: record });
});

test("other records are sent unchanged", () => {
  const record = windowed("s1", 0);
  const message = toMessage(
    readRecord("sensor-data-aggregated", undefined, Buffer.from(JSON.stringify(record))) as never,
  );
  expect(JSON.parse(message.text)).toEqual({ type: "window", data: record });
  expect(message).toMatchObject({
    type: "window",
    subject: { sensorId: "s1" },
    droppable: null,
    bytes: message.text.length,
  });
});

test("the market's records are sent unchanged, and of them a client may lose trades alone", () => {
  for (const [topic, type, record] of [
    ["market-enriched", "trade", enriched("AAPL", 5)],
    ["market-aggregated", "bar", barred("AAPL", 0)],
    ["market-alerts", "alert", alerted("AAPL", 5)],
  ] as const) {
    const message = toMessage(readRecord(topic, undefined, Buffer.from(JSON.stringify(record))) as never);
    expect(JSON.parse(message.text)).toEqual({ type, data: record });
    expect(message).toMatchObject({ subject: { symbol: "AAPL" }, droppable: type === "trade" ? 1 : null });
  }
});

test("a bar or an alert that exceeds a message is told with its symbol, and where it can be read", () => {
  const fill = "x".repeat(MAX_MESSAGE_BYTES);
  const omitted = (type: "bar" | "alert" | "trade", record: object): unknown =>
    JSON.parse(toMessage({ type, data: { ...record, fill } as never }).text);
  expect(omitted("bar", barred("BRK.B", 60_000))).toMatchObject({
    type: "omitted",
    data: {
      symbol: "BRK.B",
      type: "bar",
      path: "/symbols/BRK.B/bars?operator=tumbling-60000&from=60000&to=120000",
      table: "market_aggregated",
    },
  });
  expect(omitted("alert", alerted("A:B", 5))).toMatchObject({
    data: { symbol: "A:B", path: "/alerts?symbol=A%3AB&from=5&to=6", table: "market_alerts" },
  });
  expect(omitted("trade", enriched("AAPL", 5))).toMatchObject({ data: { type: "trade", path: null, table: null } });
});

test("the market's topics are read where it runs", () => {
  const names = (running: Parameters<typeof liveTopics>[0]): string[] => liveTopics(running).map(({ topic }) => topic);
  expect(names(["sensor"])).toEqual([
    "sensor-data-transformed",
    "sensor-data-aggregated",
    "new-session-topic",
    "sensor-inference",
    "dead-letter",
  ]);
  expect(names(["sensor", "market"]).slice(5)).toEqual(["market-enriched", "market-aggregated", "market-alerts"]);
});

test("instead of a record that exceeds a message, a client gets where it can read it", () => {
  const swallowed = Array.from({ length: 9_000 }, (_, i) => `s1@${1_657_533_977_813 + i}`);
  const data = sessionRecord.parse(ended("s1", 1_657_533_977_813.5, 1_657_533_989_120, 2, { supersedes: swallowed }));
  const text = JSON.stringify({ type: "session", data });
  expect(text.length).toBeGreaterThan(MAX_MESSAGE_BYTES);
  const message = toMessage({ type: "session", data });
  expect(JSON.parse(message.text)).toEqual({
    type: "omitted",
    data: {
      sensorId: "s1",
      type: "session",
      id: data.id,
      bytes: text.length,
      path: "/sessions/s1%401657533977813.5",
      table: "sessions",
    },
  });
  expect(message.bytes).toBe(message.text.length);
  const probabilities = Object.fromEntries(swallowed.map((name) => [name, 0.5]));
  const scored = inferenceRecord.parse({ ...inferred("s1", 0), probabilities });
  expect(JSON.parse(toMessage({ type: "inference", data: scored }).text)).toMatchObject({
    data: { type: "inference", path: null, table: "inference" },
  });
});
