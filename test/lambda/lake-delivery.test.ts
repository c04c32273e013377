import type { FirehoseClient, PutRecordBatchCommand } from "@aws-sdk/client-firehose";
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { backoffMs, toBatches } from "../../lambda/write-lake/batches.ts";
import { deliver } from "../../lambda/write-lake/deliver.ts";

test("batches keep the order and the limits of a call, and are as few as these allow", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 60 }),
      fc.integer({ min: 1, max: 10 }),
      (sizes, records) => {
        const items = sizes.map((size, i) => ({ i, data: new Uint8Array(size) }));
        const batches = toBatches(items, { records, bytes: 100 });
        const bytes = (batch: typeof items): number => batch.reduce((sum, { data }) => sum + data.length, 0);
        expect(batches.flat()).toEqual(items);
        for (const [n, batch] of batches.entries()) {
          expect(batch.length).toBeLessThanOrEqual(records);
          expect(bytes(batch)).toBeLessThanOrEqual(100);
          const next = batches[n + 1]?.[0];
          if (next) expect(batch.length === records || bytes(batch) + next.data.length > 100).toBe(true);
        }
      },
    ),
  );
  expect(
    toBatches(Array.from({ length: 1_001 }, () => ({ data: new Uint8Array(1) }))).map((batch) => batch.length),
  ).toEqual([500, 500, 1]);
});

test("the wait doubles, times a factor from a half to one", () => {
  expect([1, 2, 3, 5].map((attempt) => [backoffMs(attempt, 0), backoffMs(attempt, 1)])).toEqual([
    [50, 100],
    [100, 200],
    [200, 400],
    [800, 1_600],
  ]);
});

/** A client that answers each call with the next of `answers`: the texts that it refuses, or an error. */
function client(answers: (readonly string[] | Error)[]): FirehoseClient & { readonly calls: string[][] } {
  const calls: string[][] = [];
  const send = async ({ input }: PutRecordBatchCommand): Promise<unknown> => {
    const texts = input.Records!.map(({ Data }) => Buffer.from(Data!).toString());
    calls.push(texts);
    const answer = answers.shift() ?? [];
    if (answer instanceof Error) throw answer;
    return {
      FailedPutCount: texts.filter((text) => answer.includes(text)).length,
      RequestResponses: texts.map((text) =>
        answer.includes(text) ? { ErrorCode: "ServiceUnavailableException" } : { RecordId: "r" },
      ),
    };
  };
  return { calls, send } as unknown as FirehoseClient & { readonly calls: string[][] };
}
const rows = (...texts: string[]): { record: string; data: Uint8Array }[] =>
  texts.map((text) => ({ record: text, data: Buffer.from(text) }));

test("only rows that failed are put again, until they are taken", async () => {
  const firehose = client([["b", "c"], new Error("timeout"), ["c"], []]);
  expect(await deliver(firehose, "s", rows("a", "b", "c"), () => 0)).toMatchObject({ failed: [] });
  expect(firehose.calls).toEqual([["a", "b", "c"], ["b", "c"], ["b", "c"], ["c"]]);
});

test("a row that is never taken is returned, with the reason", async () => {
  const firehose = client(Array.from({ length: 10 }, () => ["b"]));
  expect(await deliver(firehose, "s", rows("a", "b"), () => 0)).toEqual({
    failed: rows("b"),
    reason: { ErrorCode: "ServiceUnavailableException" },
  });
  expect(firehose.calls).toHaveLength(6);
});
