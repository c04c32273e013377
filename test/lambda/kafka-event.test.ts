import { expect, test } from "@jest/globals";
import { batchResponse, recordsOf, type KafkaRecord } from "../../lambda/shared/kafka-event.ts";
import { mskEvent } from "./events.ts";

test("records of an MSK event are decoded, absent and null ones as null", () => {
  const event = mskEvent([
    {
      topic: "imu-data-all",
      partition: 3,
      offset: 7,
      timestamp: 5,
      key: "s1",
      value: "{}",
      headers: { "content-type": "application/json" },
    },
    { topic: "imu-data-all", partition: 3, offset: 8, headers: { type: "tick" } },
  ]);
  Object.assign(event.records["imu-data-all-3"]![1]!, { value: null });
  expect(recordsOf(event)).toMatchObject([
    {
      topic: "imu-data-all",
      partition: 3,
      offset: 7,
      timestamp: 5,
      key: "s1",
      keyBytes: Buffer.from("s1"),
      keyBase64: "czE=",
      valueBase64: "e30=",
      value: Buffer.from("{}"),
      headers: { "content-type": "application/json" },
      recordHeaders: [["content-type", Buffer.from("application/json")]],
    },
    {
      topic: "imu-data-all",
      partition: 3,
      offset: 8,
      timestamp: 1_657_533_977_900,
      key: null,
      keyBytes: null,
      keyBase64: null,
      valueBase64: null,
      value: null,
      headers: { type: "tick" },
      recordHeaders: [["type", Buffer.from("tick")]],
    },
  ]);
});

test("headers keep their order and bytes; the last of a name counts as text, and null counts as absent", () => {
  const event = mskEvent([{ topic: "t", offset: 0 }]);
  const record = event.records["t-0"]![0]!;
  record.key = Buffer.from([0x73, 0xff]).toString("base64");
  record.headers = [{ b: [255] }, { "7": [49] }, { a: [50] }, { b: null }, { a: [51] }, { c: null }] as never;
  expect(recordsOf(event)[0]).toMatchObject({
    keyBytes: Buffer.from([0x73, 0xff]),
    headers: { "7": "1", a: "3" },
    recordHeaders: [
      ["b", Buffer.from([255])],
      ["7", Buffer.from("1")],
      ["a", Buffer.from("2")],
      ["b", null],
      ["a", Buffer.from("3")],
      ["c", null],
    ],
  });
});

test("the answer names the lowest failed offset of each partition", () => {
  const record = (topic: string, partition: number, offset: number): KafkaRecord =>
    recordsOf(mskEvent([{ topic, partition, offset }]))[0]!;
  expect(batchResponse([record("t", 0, 9), record("t", 1, 4), record("t", 0, 7), record("u", 0, 1)])).toEqual({
    batchItemFailures: [
      { itemIdentifier: { partition: "t-0", offset: 7 } },
      { itemIdentifier: { partition: "t-1", offset: 4 } },
      { itemIdentifier: { partition: "u-0", offset: 1 } },
    ],
  });
  expect(batchResponse([])).toEqual({ batchItemFailures: [] });
});
