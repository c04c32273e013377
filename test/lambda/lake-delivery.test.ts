import type { FirehoseClient, PutRecordBatchCommand } from "@aws-sdk/client-firehose";
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { backoffMs, Packer, split } from "../../lambda/write-lake/batches.ts";
import { deliver } from "../../lambda/write-lake/deliver.ts";
import { readStreams, streamOf } from "../../lambda/write-lake/streams.ts";

test("groups keep the order and the limits, and are as few as these allow", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 60 }),
      fc.integer({ min: 1, max: 10 }),
      (sizes, count) => {
        const items = sizes.map((size, i) => ({ i, data: new Uint8Array(size) }));
        const groups = split(items, { count, bytes: 100 });
        const bytes = (group: typeof items): number => group.reduce((sum, { data }) => sum + data.length, 0);
        expect(groups.flat()).toEqual(items);
        for (const [n, group] of groups.entries()) {
          expect(group.length).toBeLessThanOrEqual(count);
          expect(bytes(group)).toBeLessThanOrEqual(100);
          const next = groups[n + 1]?.[0];
          if (next) expect(group.length === count || bytes(group) + next.data.length > 100).toBe(true);
        }
      },
    ),
  );
});

test("the number of a table's streams is read from the setting, and another form is refused", () => {
  expect([...readStreams("raw=4,aggregated=2")]).toEqual([
    ["raw", 4],
    ["aggregated", 2],
  ]);
  expect([readStreams(undefined).size, readStreams("").size]).toEqual([0, 0]);
  for (const wrong of ["raw", "raw=0", "raw=-1", "raw=4,", "raw=4 aggregated=2", "raw=100"])
    expect(() => readStreams(wrong)).toThrow("LAKE_STREAMS: ");
});

test("the records of an event are spread evenly over the streams, and one that comes again goes to the same", () => {
  const records = [0, 1, 2, 3, 4].flatMap((partition) =>
    Array.from({ length: 40 }, (_, n) => ({ partition, offset: 1_000 * partition + n })),
  );
  const counts = Map.groupBy(records, (record) => streamOf(record, 4));
  expect([...counts.keys()].toSorted((a, b) => a - b)).toEqual([1, 2, 3, 4]);
  for (const [, of] of counts) expect(of.length).toBe(50);
  expect(records.map((record) => streamOf(record, 1))).toEqual(records.map(() => 1));
});

test("the wait doubles, times a factor from a half to one", () => {
  expect([1, 2, 3, 5].map((attempt) => [backoffMs(attempt, 0), backoffMs(attempt, 1)])).toEqual([
    [50, 100],
    [100, 200],
    [200, 400],
    [800, 1_600],
  ]);
});

/** A client that answers each call with the next of `answers`: how the records begin that it refuses, or an error. */
function client(answers: (readonly string[] | Error)[]): FirehoseClient & { readonly calls: string[][] } {
  const calls: string[][] = [];
  const send = async ({ input }: PutRecordBatchCommand): Promise<unknown> => {
    const texts = input.Records!.map(({ Data }) => Buffer.from(Data!).toString());
    calls.push(texts);
    const answer = answers.shift() ?? [];
    if (answer instanceof Error) throw answer;
    const refused = texts.map((text) => answer.some((start) => text.startsWith(start)));
    return {
      FailedPutCount: refused.filter(Boolean).length,
      RequestResponses: refused.map((one) => (one ? { ErrorCode: "ServiceUnavailableException" } : { RecordId: "r" })),
    };
  };
  return { calls, send } as unknown as FirehoseClient & { readonly calls: string[][] };
}
interface TestRow {
  readonly record: string;
  readonly data: string;
}
/** Rows of which no two fit into a record of 1,000 KiB. */
const large = (...names: string[]): TestRow[] =>
  names.map((name) => ({ record: name, data: `${name.padEnd(600_000)}\n` }));
const small = (count: number): TestRow[] =>
  Array.from({ length: count }, (_, i) => ({ record: `row ${i}`, data: `{"n":${i}}\n` }));
const packed = (rows: readonly TestRow[]): Packer<string>["packed"] => {
  const packer = new Packer<string>();
  for (const { record, data } of rows) packer.add(record, data);
  return packer.packed;
};
const called = ({ calls }: { readonly calls: string[][] }): string[][] =>
  calls.map((texts) => texts.map((text) => text.trim()));

test("only records that failed are put again, until they are taken", async () => {
  const firehose = client([["b", "c"], new Error("timeout"), ["c"], []]);
  expect(await deliver(firehose, "s", packed(large("a", "b", "c")), () => 0)).toMatchObject({ failed: [] });
  expect(called(firehose)).toEqual([["a", "b", "c"], ["b", "c"], ["b", "c"], ["c"]]);
});

test("a row that is never taken is returned, with the reason", async () => {
  const firehose = client(Array.from({ length: 10 }, () => ["b"]));
  expect(await deliver(firehose, "s", packed(large("a", "b")), () => 0)).toEqual({
    failed: ["b"],
    reason: new Error("ServiceUnavailableException: no message"),
  });
  expect(firehose.calls).toHaveLength(6);
});

// Firehose cuts a record into 500 rows at most:
// https://docs.aws.amazon.com/firehose/latest/dev/dynamic-partitioning-multirecord-deaggergation.html
test("rows share records, at most 500 of them and 1,000 KiB each, and fail with their record alone", async () => {
  const rows = small(1_201);
  const firehose = client(Array.from({ length: 6 }, () => [rows[500]!.data]));
  const { failed } = await deliver(firehose, "s", packed(rows), () => 0);
  expect(failed).toEqual(rows.slice(500, 1_000).map(({ record }) => record));
  expect(firehose.calls[0]!.map((text) => text.split("\n").length - 1)).toEqual([500, 500, 201]);
  expect(firehose.calls[0]!.join("")).toBe(rows.map(({ data }) => data).join(""));
  expect(firehose.calls.slice(1).every((texts) => texts.length === 1)).toBe(true);

  const kib = Array.from({ length: 100 }, (_, i): TestRow => ({
    record: `${i}`,
    data: `${"ä".padEnd(20 * 1_024 - 2)}\n`,
  }));
  const second = client([]);
  await deliver(second, "s", packed(kib), () => 0);
  // 50 rows of 20 KiB; 4 MiB hold four such records, so one call holds both.
  expect(second.calls.map((texts) => texts.map((text) => Buffer.byteLength(text)))).toEqual([[1_024_000, 1_024_000]]);

  // One that exceeds a record is alone: Firehose refuses it, and takes the others.
  const tooLarge = { record: "x", data: "x".repeat(1_024_001) };
  expect(packed([...small(2), tooLarge, ...small(1)]).map(({ records }) => records)).toEqual([
    ["row 0", "row 1"],
    ["x"],
    ["row 0"],
  ]);
});
