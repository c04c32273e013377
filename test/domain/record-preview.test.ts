import { expect, test } from "@jest/globals";
import { encodeColumns } from "../../domain/columns.ts";
import { encodePackedImu } from "../../domain/packed-imu.ts";
import { previewRecord, type PreviewedRecord } from "../../domain/record-preview.ts";

const bytes = (text: string): Uint8Array => Buffer.from(text);
const record = (more: Partial<PreviewedRecord>): PreviewedRecord => ({
  partition: 3,
  offset: 17,
  timestamp: 1_657_533_977_813,
  key: bytes("s1"),
  value: bytes('{"seq":1}'),
  size: 11,
  recordHeaders: [],
  ...more,
});
const typed = (contentType: string, value: Uint8Array): PreviewedRecord =>
  record({ value, recordHeaders: [["content-type", bytes(contentType)]] });

test("JSON is given as it is, with place, key and headers", () => {
  const recordHeaders = [
    ["type", bytes("tick")],
    ["raw", Uint8Array.of(0xff)],
    ["none", null],
  ] as const;
  expect(previewRecord(record({ recordHeaders }))).toEqual({
    partition: 3,
    offset: 17,
    timestamp: 1_657_533_977_813,
    bytes: 11,
    key: { form: "text", text: "s1" },
    headers: [
      ["type", { form: "text", text: "tick" }],
      ["raw", { form: "base64", text: "/w==" }],
      ["none", null],
    ],
    value: { form: "json", text: '{"seq":1}', isCut: false },
  });
});

test("a control record has neither key nor value", () => {
  expect(previewRecord(record({ key: null, value: null }))).toMatchObject({ key: null, value: null });
});

test.each([
  ["text", "not json", "not json"],
  ["text", "", ""],
  ["base64", Uint8Array.of(0, 0xff), "AP8="],
])("what is no JSON is %s", (form, value, text) => {
  const given = typeof value === "string" ? bytes(value) : value;
  expect(previewRecord(record({ value: given })).value).toEqual({ form, text, isCut: false });
});

test("a large value is cut, and says so", () => {
  const { value } = previewRecord(record({ value: bytes("x".repeat(4_001)) }));
  expect([value?.text.length, value?.isCut]).toEqual([4_000, true]);
});

test("packed readings are told by their first and last sample", () => {
  const message = {
    seq: 7,
    boot: "a1",
    t: 1_000,
    hz: 100,
    samples: [1, 2, 3].map((n) => [n, 0, 0, 0, 0, 0.1] as const),
  };
  const { value } = previewRecord(typed("application/x-millrace-imu", encodePackedImu(message)));
  expect(value?.form).toBe("packed");
  expect(JSON.parse(value!.text)).toEqual({
    seq: 7,
    boot: "a1",
    hz: 100,
    count: 3,
    first: { t: 1_000, sample: [1, 0, 0, 0, 0, 0.1] },
    last: { t: 1_020, sample: [3, 0, 0, 0, 0, 0.1] },
  });
});

test("packed columns are told by their header and their first and last row", () => {
  const header = { id: "imu-data-all/3/1/0", count: 2, columns: ["ax", "ay"] };
  const columns = encodeColumns(JSON.stringify(header), 2, Float64Array.of(1, 2), Float64Array.of(3, 4, 5, 6), 2, 2);
  const { value } = previewRecord(typed("application/x-millrace-columns", columns));
  expect(JSON.parse(value!.text)).toEqual({
    ...header,
    first: { t: 1, ax: 3, ay: 5 },
    last: { t: 2, ax: 4, ay: 6 },
  });
});

test.each(["application/x-millrace-imu", "application/x-millrace-columns"])("%s that is none is no summary", (type) => {
  expect(previewRecord(typed(type, Uint8Array.of(1, 0xff))).value).toMatchObject({ form: "base64", text: "Af8=" });
});
