import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { decodeTrade } from "../../../../processor/pipelines/market/decode-trade.ts";
import { scanTrade } from "../../../../processor/pipelines/market/scan-trade.ts";
import { TradeMessage } from "../../../../processor/pipelines/market/trade-message.ts";

const given = {
  trade_id: '"TRX-123456"',
  timestamp: '"2026-01-13T14:30:45.123Z"',
  symbol: '"AAPL"',
  price: "150.25",
  quantity: "40",
  amount: "6010",
  currency: '"USD"',
  side: '"buy"',
  account: '"ACC-7"',
  status: '"executed"',
};

const scans = (text: string, key = "AAPL"): boolean => scanTrade(key, Buffer.from(text), new TradeMessage());

const json = (fields: Readonly<Record<string, string>>): string =>
  `{${Object.entries(fields)
    .map(([name, value]) => `"${name}":${value}`)
    .join(",")}}`;

test("a usual trade is read in one pass, in any order and with spaces", () => {
  expect(scans(json(given))).toBe(true);
  expect(scans(` { "symbol" : "AAPL" ,\n "price":1e2 , "timestamp": 1768314645123,\t"trade_id":"t" } `)).toBe(true);
});

test.each([
  ["unknown field", { ...given, venue: '"X"' }],
  ["ticker", { ...given, ticker: '"AAPL"' }],
  ["escape", { ...given, account: '"\\u0041"' }],
  ["text that is not ASCII", { ...given, account: '"Käse"' }],
  ["null", { ...given, account: "null" }],
  ["number as a text", { ...given, price: '"150.25"' }],
  ["text as a number", { ...given, account: "7" }],
  ["negative figure", { ...given, amount: "-1" }],
  ["price of zero", { ...given, price: "0" }],
  ["figure that is too large", { ...given, amount: "1e101" }],
  ["other word", { ...given, side: '"Buy"' }],
  ["other symbol", { ...given, symbol: '"MSFT"' }],
])("the slow way is left a trade with an %s", (_, fields) => {
  expect(scans(json(fields))).toBe(false);
});

test.each(["", "{", "{}", `${json(given)}x`, json(given).slice(0, -1), `{"price":1,${json(given).slice(1)}`])(
  "the slow way is left %s",
  (text) => {
    expect(scans(text)).toBe(false);
  },
);

const values = fc.oneof(
  fc.constantFrom(...Object.values(given)),
  fc.constantFrom(
    "null",
    "true",
    "[]",
    "{}",
    "-0",
    "0",
    "00",
    "1.",
    ".5",
    "1e2",
    "1E400",
    '""',
    '"a b"',
    '"\\n"',
    '"ä"',
  ),
  fc.constantFrom(
    '"cancelled"',
    '"sell"',
    '"EUR"',
    '"eur"',
    '"2026-02-30T00:00:00.000Z"',
    '"2026-01-13T14:30:45+02:00"',
  ),
  fc.double().map((x) => JSON.stringify(x)),
  fc.string().map((x) => JSON.stringify(x)),
);
/** Most fields as given, some with another value or none, some unknown ones, in any order; sometimes cut. */
const trades = fc
  .record({
    changed: fc.dictionary(fc.constantFrom(...Object.keys(given), "ticker", "venue", "trade_id "), values, {
      maxKeys: 3,
    }),
    without: fc.subarray(["price", "quantity", "amount", "currency", "side", "account", "status"]),
    twice: fc.option(fc.constantFrom(...Object.keys(given))),
    cut: fc.constantFrom(0, 0, 0, 0, 1, 5),
    space: fc.constantFrom("", "", " ", "\n\t"),
  })
  .map(({ changed, without, twice, cut, space }) => {
    const fields = Object.entries({ ...given, ...changed }).filter(([name]) => !without.includes(name));
    if (twice != null) fields.push([twice, given[twice as keyof typeof given]]);
    const text = `{${fields.map(([name, value]) => `"${name}"${space}:${value}`).join(`,${space}`)}}`;
    return text.slice(0, text.length - cut);
  });

test("both ways take the same trades and read the same", () => {
  let scanned = 0;
  fc.assert(
    fc.property(trades, (text) => {
      const [fast, slow] = [new TradeMessage(), new TradeMessage()];
      if (scans(text)) scanned++;
      const bytes = Buffer.from(text);
      // The slow way alone is taken for bytes that are no Buffer.
      const rejections = [decodeTrade("AAPL", bytes, {}, fast), decodeTrade("AAPL", Uint8Array.from(bytes), {}, slow)];
      expect(rejections[0]).toEqual(rejections[1]);
      if (rejections[0] === null) {
        expect(contentOf(fast)).toEqual(contentOf(slow));
        expect(fast.received).toEqual(JSON.parse(text));
      }
    }),
    { numRuns: 3_000, examples: [[json({ ...given, timestamp: "-0" })], [json({ ...given, amount: "-0" })]] },
  );
  expect(scanned).toBeGreaterThan(300);
});

function contentOf(message: TradeMessage): unknown[] {
  const { tradeId, price, quantity, amount, currency, side, account, status, key, rows } = message;
  return [tradeId, message.t[0], price, quantity, amount, currency, side, account, status, key, rows];
}
