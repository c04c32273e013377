import { expect, test } from "@jest/globals";
import { appendRequests } from "../../lambda/produce-trades/requests.ts";
import type { TradeRecord } from "../../lambda/produce-trades/trade-record.ts";

const record = (key: string, bytes: number): TradeRecord => ({ key, value: "x".repeat(bytes), headers: {} });

test("each request has records of one partition, in their order", () => {
  const records = ["a", "b", "a", "c", "b"].map((key) => record(key, 10));
  const requests = appendRequests(records, ({ key }) => ({ a: 3, b: 0, c: 3 })[key!]!);
  expect(requests).toEqual([
    { partition: 3, indexes: [0, 2, 3] },
    { partition: 0, indexes: [1, 4] },
  ]);
});

test("a request is cut below what Kafka takes, and a record that is larger stands alone", () => {
  const records = [400_000, 400_000, 400_000, 2_000_000, 1, 1].map((bytes) => record("a", bytes));
  expect(appendRequests(records, () => 0).map(({ indexes }) => indexes)).toEqual([[0, 1], [2], [3], [4, 5]]);
});
