import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { recordedTrades } from "../../../simulator/market/recorded.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "millrace-recorded-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function read(text: string, speed = 1): Promise<{ dueMs: number; json: string }[]> {
  const file = join(folder, "trades.csv");
  writeFileSync(file, text);
  const trades: { dueMs: number; json: string }[] = [];
  for await (const { dueMs, detail } of recordedTrades(file, speed))
    trades.push({ dueMs, json: JSON.stringify(detail) });
  return trades;
}

test("each line is a trade as it stands there, due as fast as the timestamps or faster", async () => {
  const text = [
    "trade_id,timestamp,symbol,price,quantity,amount,currency,side,account,status",
    "T1,2026-01-13T14:30:45.000Z,AAPL,150.250,40,6010.00,USD,buy,ACC-7,executed",
    "",
    "T2, 2026-01-13T14:30:47.500Z ,MSFT,12345678901234567890.1,,,,,,\r",
    "T3,2026-01-13T14:30:46.000Z,MSFT,much,,,,,,",
  ].join("\n");
  const expected = [
    '{"trade_id":"T1","timestamp":"2026-01-13T14:30:45.000Z","symbol":"AAPL","price":150.250,"quantity":40,' +
      '"amount":6010.00,"currency":"USD","side":"buy","account":"ACC-7","status":"executed"}',
    '{"trade_id":"T2","timestamp":"2026-01-13T14:30:47.500Z","symbol":"MSFT","price":12345678901234567890.1}',
    '{"trade_id":"T3","timestamp":"2026-01-13T14:30:46.000Z","symbol":"MSFT","price":"much"}',
  ];
  const due = (...times: number[]) => times.map((dueMs, i) => ({ dueMs, json: expected[i] }));
  expect(await read(text)).toEqual(due(0, 2_500, 2_500));
  expect(await read(text, 10)).toEqual(due(0, 250, 250));
});

test("columns stand in any order, and a timestamp may be epoch ms", async () => {
  expect(await read("symbol,timestamp\nA,1768314645123\nA,1768314645124.5")).toEqual([
    { dueMs: 0, json: '{"symbol":"A","timestamp":1768314645123}' },
    { dueMs: 1.5, json: '{"symbol":"A","timestamp":1768314645124.5}' },
  ]);
});

test.each([
  ["symbol,price\nA,1", "line 1: the column timestamp is missing"],
  ["timestamp,ticker\n1,A", 'line 1: there is no column "ticker"; there are trade_id, timestamp'],
  ["timestamp,symbol,symbol\n1,A,B", "line 1: a column is named twice"],
  ["timestamp,symbol\n1", 'line 2: 2 cells are expected, found "1"'],
  ["timestamp,symbol\nyesterday,A", 'line 2: a timestamp (RFC 3339, or epoch ms) is expected, found "yesterday"'],
  ['timestamp,symbol\n1,"A,B"', "line 2: a cell in quotes is not understood"],
])("a file that is none is refused with its line: %j", async (text, message) => {
  await expect(read(text)).rejects.toMatchObject({
    code: "arguments-invalid",
    message: expect.stringContaining(message),
  });
});

test("a file that can't be read is refused", async () => {
  await expect(recordedTrades(join(folder, "none.csv"), 1).next()).rejects.toThrow(
    /--data .*none.csv cannot be read: ENOENT/,
  );
});
