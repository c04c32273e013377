import { expect, test } from "@jest/globals";
import { batchResponse, recordsOf } from "../../lambda/shared/kafka-event.ts";
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
  expect(recordsOf(event)).toEqual([
    {
      topic: "imu-data-all",
      partition: 3,
      offset: 7,
      timestamp: 5,
      key: "s1",
      value: Buffer.from("{}"),
      headers: { "content-type": "application/json" },
    },
    {
      topic: "imu-data-all",
      partition: 3,
      offset: 8,
      timestamp: 1_657_533_977_900,
      key: null,
      value: null,
      headers: { type: "tick" },
    },
  ]);
});

test("the answer names the lowest failed offset of each partition", () => {
  const record = (topic: string, partition: number, offset: number): ReturnType<typeof recordsOf>[number] => ({
    topic,
    partition,
    offset,
    timestamp: 0,
    key: null,
    value: null,
    headers: {},
  });
  expect(batchResponse([record("t", 0, 9), record("t", 1, 4), record("t", 0, 7), record("u", 0, 1)])).toEqual({
    batchItemFailures: [
      { itemIdentifier: { partition: "t-0", offset: 7 } },
      { itemIdentifier: { partition: "t-1", offset: 4 } },
      { itemIdentifier: { partition: "u-0", offset: 1 } },
    ],
  });
  expect(batchResponse([])).toEqual({ batchItemFailures: [] });
});
