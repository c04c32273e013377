import { describe, expect, test } from "@jest/globals";
import { fittingPrefix } from "../../../local/event-source/batcher.ts";
import { eventBytes, failedFrom, mskEvent, type KafkaRecord } from "../../../local/event-source/event.ts";
import { backOff, decide, type Decision, type RetryPolicy } from "../../../local/event-source/retry.ts";

const record = (offset: number, more: Partial<KafkaRecord> = {}): KafkaRecord => ({
  topic: "t",
  partition: 0,
  offset,
  timestampMs: 1_000 + offset,
  key: null,
  value: null,
  headers: [],
  ...more,
});
const records = (...offsets: number[]): KafkaRecord[] => offsets.map((offset) => record(offset));
const policy: RetryPolicy = { maximumRetryAttempts: 2, maximumRecordAgeMs: -1, bisectBatchOnError: true };
const summary = ({ pending, discarded, condition }: Decision): unknown => ({
  pending: pending.map((slice) => [slice.records.map(({ offset }) => offset), slice.failures]),
  discarded: discarded.map(({ offset }) => offset),
  condition,
});

describe("after an invocation", () => {
  test.each([
    {
      name: "success leaves nothing to do",
      slice: [[5, 6], 1],
      outcome: { ok: true as const },
      expected: { pending: [], discarded: [], condition: null },
    },
    {
      name: "a failure in the middle keeps what is before it as done, and starts the count anew",
      slice: [[5, 6, 9], 2],
      outcome: { ok: false as const, resumeFrom: 6, shared: true },
      expected: { pending: [[[6, 9], 0]], discarded: [], condition: null },
    },
    {
      name: "a failure at the first record is a retry of all",
      slice: [[5, 6], 0],
      outcome: { ok: false as const, resumeFrom: 5, shared: false },
      expected: { pending: [[[5, 6], 1]], discarded: [], condition: null },
    },
    {
      name: "a record that the function named is given up alone",
      slice: [[5, 6], 2],
      outcome: { ok: false as const, resumeFrom: 5, shared: false },
      expected: { pending: [[[6], 0]], discarded: [5], condition: "RetryAttemptsExhausted" },
    },
    {
      name: "a batch that failed as a whole is halved, the larger half first",
      slice: [[5, 6, 9], 2],
      outcome: { ok: false as const, resumeFrom: null, shared: false },
      expected: {
        pending: [
          [[5, 6], 0],
          [[9], 0],
        ],
        discarded: [],
        condition: null,
      },
    },
    {
      name: "a failure of an event shared with other partitions is nobody's yet",
      slice: [[5, 6], 2],
      outcome: { ok: false as const, resumeFrom: null, shared: true },
      expected: { pending: [[[5, 6], 2]], discarded: [], condition: null },
    },
    {
      name: "one record that failed as a whole is tried again",
      slice: [[5], 1],
      outcome: { ok: false as const, resumeFrom: null, shared: false },
      expected: { pending: [[[5], 2]], discarded: [], condition: null },
    },
    {
      name: "and given up after the last retry",
      slice: [[5], 2],
      outcome: { ok: false as const, resumeFrom: null, shared: false },
      expected: { pending: [], discarded: [5], condition: "RetryAttemptsExhausted" },
    },
  ])("$name", ({ slice: [offsets, failures], outcome, expected }) => {
    expect(
      summary(decide({ records: records(...(offsets as number[])), failures: failures as number }, outcome, policy, 0)),
    ).toEqual(expected);
  });

  test("records older than the maximum age are given up, younger ones are retried", () => {
    // Timestamps are 1,000 + offset. At 1,106 with a maximum age of 100, all below 1,006 are too old.
    expect(
      summary(
        decide(
          { records: records(4, 5, 6, 7), failures: 0 },
          { ok: false, resumeFrom: null, shared: false },
          { ...policy, maximumRecordAgeMs: 100 },
          1_106,
        ),
      ),
    ).toEqual({ pending: [[[6, 7], 0]], discarded: [4, 5], condition: "RecordAgeExceeded" });
  });

  test("without bisection, a batch is retried and given up as a whole", () => {
    const whole = { ...policy, bisectBatchOnError: false };
    expect(
      summary(
        decide({ records: records(1, 2), failures: 1 }, { ok: false, resumeFrom: null, shared: false }, whole, 0),
      ),
    ).toEqual({ pending: [[[1, 2], 2]], discarded: [], condition: null });
    expect(
      summary(
        decide({ records: records(1, 2), failures: 2 }, { ok: false, resumeFrom: null, shared: false }, whole, 0),
      ),
    ).toEqual({ pending: [], discarded: [1, 2], condition: "RetryAttemptsExhausted" });
  });

  test("delays double up to half a minute", () => {
    expect([1, 2, 3, 8, 9, 100].map(backOff)).toEqual([200, 400, 800, 25_600, 30_000, 30_000]);
  });
});

test("an event has the shape that Lambda's documentation shows for Amazon MSK", () => {
  const full = record(7, {
    key: Buffer.from("s1"),
    value: Buffer.from("hé"),
    headers: [
      ["a", Buffer.from("1")],
      ["a", Buffer.from([255])],
    ],
  });
  expect(mskEvent([full, record(3, { partition: 12 })], "b:1", "LOG_APPEND_TIME")).toEqual({
    eventSource: "aws:kafka",
    eventSourceArn: expect.stringMatching(/^arn:aws:kafka:/),
    bootstrapServers: "b:1",
    records: {
      "t-0": [
        {
          topic: "t",
          partition: 0,
          offset: 7,
          timestamp: 1_007,
          timestampType: "LOG_APPEND_TIME",
          key: "czE=",
          value: "aMOp",
          headers: [{ a: [49] }, { a: [255] }],
        },
      ],
      "t-12": [
        { topic: "t", partition: 12, offset: 3, timestamp: 1_003, timestampType: "LOG_APPEND_TIME", headers: [] },
      ],
    },
  });
});

test("the estimated size of a record is never below the size of its JSON", () => {
  for (const one of [
    record(2 ** 53 - 1),
    record(1, {
      key: Buffer.alloc(100, 200),
      value: Buffer.alloc(5_001),
      headers: [
        ["traceparent", Buffer.alloc(55, 255)],
        ["b", Buffer.alloc(0)],
      ],
    }),
  ]) {
    const event = mskEvent([one], "b", "LOG_APPEND_TIME");
    expect(eventBytes(one)).toBeGreaterThanOrEqual(JSON.stringify(event.records["t-0"]?.[0]).length);
  }
});

test("a slice stays within the batch size and 6 MB", () => {
  expect(fittingPrefix(records(1, 2, 3), 2)).toBe(2);
  // 900,000 bytes are 1,200,000 characters of base64. Five of them exceed 6,000,000, and six would exceed 6 MiB.
  expect(
    fittingPrefix(
      Array.from({ length: 9 }, (_, i) => record(i, { value: Buffer.alloc(900_000) })),
      100,
    ),
  ).toBe(5);
  expect(fittingPrefix([record(1, { value: Buffer.alloc(9_000_000) })], 100)).toBe(1);
});

test("failures resume at the lowest offset of each partition; reports of other records fail the batch", () => {
  const batch = [record(1), record(2), record(3), record(1, { partition: 1 })];
  const item = (partition: string, offset: number): unknown => ({ itemIdentifier: { partition, offset } });
  expect(failedFrom({ batchItemFailures: [item("t-0", 3), item("t-0", 2)] }, batch)).toEqual(new Map([["t-0", 2]]));
  for (const nothing of [undefined, null, {}, { batchItemFailures: null }, { batchItemFailures: [] }])
    expect(failedFrom(nothing, batch)).toEqual(new Map());
  for (const wrong of [[item("t-0", 9)], [item("t-2", 1)], [{ itemIdentifier: null }], [null], "no"])
    expect(failedFrom({ batchItemFailures: wrong }, batch)).toBeNull();
});
