import { describe, expect, test } from "@jest/globals";
import { defaultSemantics } from "../../../domain/semantics.ts";
import { headers, topics } from "../../../domain/topics.ts";
import type { LogRecord, Run } from "../log.ts";
import { marketProductRun } from "../product.ts";
import { brokenTrades } from "./broken.ts";
import { marketReferenceRun } from "./reference.ts";

/** A log of one record: each case is its own. */
function logOf(value: string | Uint8Array | null, key: string | null): LogRecord[] {
  const bytes = typeof value === "string" ? Buffer.from(value) : value;
  return [{ partition: 0, offset: 0, timestamp: 1_800_000_000_000, key, value: bytes, headers: {} }];
}

function codes({ outputs }: Run): string[] {
  return outputs.map(({ topic, headers: { [headers.errorCode]: code = "" } }) =>
    topic === topics.deadLetter.name ? code : topic,
  );
}

describe("a trade that breaks the contract is dead-lettered with a code that says how", () => {
  test.each(brokenTrades)("%s: %s", async (code, value, key = "AAPL") => {
    // Key and value null is a control record of no type.
    if (key === null && value === null) throw new Error("no trade");
    const log = logOf(value, key);
    expect(codes(await marketProductRun(log, defaultSemantics, false))).toEqual([code]);
    expect(codes(marketReferenceRun(log, defaultSemantics, false))[0]!.split("|")).toContain(code);
  });
});

test.each([
  ["a time with an offset", { timestamp: "2023-11-14T23:43:20.000+01:30" }],
  ["a time in lower case", { timestamp: "2023-11-14t22:13:20z" }],
  ["longest ids", { trade_id: "x".repeat(64), account: "😀".repeat(64) }],
  ["an amount within the agreement", { quantity: 3, amount: 30.00002 }],
  ["an amount of zero alone", { price: undefined, amount: 0 }],
  ["unknown fields", { venue: { a: [1] }, id: "x", schema: 3 }],
])("%s is taken", async (_what, given) => {
  const trade = { trade_id: "A-1", timestamp: 1_700_000_000_000, symbol: "AAPL", price: 10, ...given };
  const log = logOf(JSON.stringify(trade), "AAPL");
  for (const run of [
    await marketProductRun(log, defaultSemantics, false),
    marketReferenceRun(log, defaultSemantics, false),
  ]) {
    expect(codes(run)).toEqual([topics.marketEnriched.name]);
    expect(run.outputs[0]!.value).toMatchObject({ timestamp: 1_700_000_000_000, status: "executed" });
  }
});
