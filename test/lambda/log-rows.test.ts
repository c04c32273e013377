import { expect, test } from "@jest/globals";
import fc from "fast-check";
import type { RecordHeaders } from "../../domain/record-headers.ts";
import { tables } from "../../domain/tables.ts";
import { deadLetterRows, logRows, MAX_ROW_BYTES } from "../../lambda/write-lake/log-rows.ts";
import type { Row } from "../../lambda/write-lake/rows.ts";
import { rowFitter } from "../../local/firehose/rows.ts";
import { kafkaRecord } from "./events.ts";

const reach = { earliestMs: 0, latestMs: 1e15 };
const fit = rowFitter(tables.dead_letters);

/** Puts a record together again from its rows, as docs/contracts.md says. */
function joined(rows: readonly Row[]): { key: Buffer | null; headers: RecordHeaders; value: Buffer | null } {
  const bytes = (texts: (string | null)[]): Buffer | null =>
    texts.every((text) => text === null) ? null : Buffer.from(texts.map((text) => text ?? "").join(""), "base64");
  const headers: [string, Buffer | null][] = [];
  let open: { name: string; value: string | null }[] = [];
  for (const entry of rows.flatMap(
    (row) => row["headers"] as { name: string; value: string | null; more: boolean }[],
  )) {
    open.push(entry);
    if (entry.more) continue;
    headers.push([open.map(({ name }) => name).join(""), bytes(open.map(({ value }) => value))]);
    open = [];
  }
  return {
    key: bytes(rows.map((row) => row["key"] as string | null)),
    headers,
    value: bytes(rows.map((row) => row["value"] as string | null)),
  };
}

function check(key: Buffer | null, headers: RecordHeaders, value: Buffer | null): Row[] {
  const rows = deadLetterRows(kafkaRecord(key, headers, value), reach);
  expect(joined(JSON.parse(JSON.stringify(rows)) as Row[])).toEqual({ key, headers, value });
  for (const row of rows) {
    const data = Buffer.from(`${JSON.stringify(row)}\n`);
    expect(data.length).toBeLessThanOrEqual(MAX_ROW_BYTES);
    expect(fit(data)).toMatchObject({ ok: true });
  }
  expect(rows.map((row) => [row["part"], row["parts"]])).toEqual(rows.map((_, part) => [part, rows.length]));
  expect(new Set(rows.map(({ dt, hour }) => `${dt} ${hour}`)).size).toBe(1);
  expect(new Set(rows.map((row) => row["id"])).size).toBe(rows.length);
  return rows;
}

test("any record comes back byte for byte", () => {
  const bytes = fc.option(fc.uint8Array({ maxLength: 50 }).map((array) => Buffer.from(array)));
  const name = fc.oneof(fc.string({ unit: "grapheme", maxLength: 8 }), fc.constantFrom("a", "7", "__proto__", "type"));
  fc.assert(
    fc.property(bytes, fc.array(fc.tuple(name, bytes), { maxLength: 6 }), bytes, (key, headers, value) => {
      expect(check(key, headers, value)).toHaveLength(1);
    }),
  );
});

const big = (size: number): Buffer => Buffer.from(Array.from({ length: size }, (_, i) => (i * 7 + (i >> 9)) & 0xff));
test.each<[string, Buffer | null, RecordHeaders, Buffer | null, number]>([
  ["a device's largest message", Buffer.from("s1"), [], big(128 * 1_024), 1],
  ["the largest record that a broker takes", Buffer.from("s1"), [["a", null]], big(1_048_000), 2],
  ["one of a large key", big(1_000_000), [], null, 2],
  [
    "one of a large header",
    null,
    [
      ["b", big(1_000_000)],
      ["c", null],
      ["c", Buffer.alloc(0)],
    ],
    Buffer.alloc(0),
    2,
  ],
  [
    "one of a header with a large name",
    null,
    [
      ["\u0001😀".repeat(200_000), Buffer.from("x")],
      ["d", null],
    ],
    null,
    3,
  ],
  ["one of many headers", null, Array.from({ length: 20_000 }, (_, i) => [`n${i}`, big(20)] as const), big(5), 2],
])("what exceeds a row comes in parts: %s", (_, key, headers, value, parts) => {
  expect(check(key, headers, value)).toHaveLength(parts);
});

test("readable copies leave out what is no text, null or too long", () => {
  const headers: RecordHeaders = [
    ["twice", Buffer.from("1")],
    ["bytes", Buffer.from([0xff])],
    ["none", null],
    ["long", Buffer.alloc(40_000, "x")],
    ["twice", Buffer.from("2")],
  ];
  expect(logRows(kafkaRecord(Buffer.from([0x80]), headers, null), reach)[0]).toMatchObject({
    key: "gA==",
    key_text: null,
    headers_text: { twice: "2" },
  });
  expect(logRows(kafkaRecord(Buffer.alloc(40_000, "x"), [], null), reach)[0]!["key_text"]).toBeNull();
});

test("a record of a log's second generation has another id than the first's at its place", () => {
  const record = kafkaRecord(null, [], null);
  const [{ id: first }] = logRows(record, reach) as [Row];
  const [{ id: second, topic }] = logRows(record, reach, 2) as [Row];
  expect(first).toBe(`${record.topic}/${record.partition}/${record.offset}`);
  expect(second).toBe(`${record.topic}~2/${record.partition}/${record.offset}`);
  expect(topic).toBe(record.topic);
});
