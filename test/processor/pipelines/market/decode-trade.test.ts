import { expect, test } from "@jest/globals";
import { contentTypes, headers } from "../../../../domain/topics.ts";
import { decodeTrade } from "../../../../processor/pipelines/market/decode-trade.ts";
import { readTimestamp } from "../../../../processor/pipelines/market/read-timestamp.ts";
import { TradeMessage } from "../../../../processor/pipelines/market/trade-message.ts";

const given = {
  trade_id: "TRX-123456",
  timestamp: "2026-01-13T14:30:45.123Z",
  symbol: "AAPL",
  price: 150.25,
  quantity: 40,
  amount: 6010,
  currency: "USD",
  side: "buy",
  account: "ACC-7",
  status: "executed",
};

function decode(value: object | string | Uint8Array, key = "AAPL", contentType?: string) {
  const message = new TradeMessage();
  const bytes =
    value instanceof Uint8Array ? value : Buffer.from(typeof value === "string" ? value : JSON.stringify(value));
  const own = contentType === undefined ? {} : { [headers.contentType]: contentType };
  return { message, rejection: decodeTrade(key, bytes, own, message) };
}

/** A trade without some fields and with others. */
function trade(change: Record<string, unknown>): object {
  return Object.fromEntries(Object.entries({ ...given, ...change }).filter(([, value]) => value !== undefined));
}

test("every field of a trade is read", () => {
  const { message, rejection } = decode(given, "AAPL", `${contentTypes.json}; charset=utf-8`);
  expect(rejection).toBeNull();
  const { key, tradeId, price, quantity, amount, currency, side, account, status, received } = message;
  expect({ key, tradeId, price, quantity, amount, currency, side, account, status }).toEqual({
    key: "AAPL",
    tradeId: "TRX-123456",
    price: 150.25,
    quantity: 40,
    amount: 6010,
    currency: "USD",
    side: "buy",
    account: "ACC-7",
    status: "executed",
  });
  // date -u -d 2026-01-13T14:30:45.123Z +%s%3N
  expect([message.rows, message.t[0]]).toEqual([1, 1_768_314_645_123]);
  expect(received).toEqual(given);
});

test("a tick with ticker and price alone is a trade in US dollars, executed, without the rest", () => {
  const { message, rejection } = decode({ trade_id: "t", timestamp: 1_768_314_645_123, ticker: "AAPL", price: 150.25 });
  expect(rejection).toBeNull();
  const { price, quantity, amount, currency, side, account, status } = message;
  expect([price, quantity, amount, currency, side, account, status]).toEqual([
    150.25,
    NaN,
    NaN,
    "USD",
    null,
    null,
    "executed",
  ]);
});

test.each([
  [{ amount: undefined }, 150.25, 40, 6_010],
  [{ price: undefined }, 150.25, 40, 6_010],
  [{ quantity: undefined }, 150.25, 40, 6_010],
  [{ price: undefined, quantity: undefined }, NaN, NaN, 6_010],
  [{ price: undefined, amount: 0 }, NaN, 40, 0],
  [{ quantity: undefined, amount: 0 }, 150.25, NaN, 0],
  // As given where all three are: they agree to a millionth.
  [{ amount: 6_010.006 }, 150.25, 40, 6_010.006],
])("of price, quantity and amount the third is derived: %j", (change, price, quantity, amount) => {
  const { message, rejection } = decode(trade(change));
  expect(rejection).toBeNull();
  expect([message.price, message.quantity, message.amount]).toEqual([price, quantity, amount]);
});

const wrong: readonly [object | string, string, string][] = [
  ["", "invalid-json", "the record has no value; a trade as JSON is expected"],
  ["{", "invalid-json", "the value of 1 bytes is not JSON in UTF-8"],
  ["[1]", "invalid-message", "the trade is an array of 1; an object is expected"],
  [
    trade({ symbol: undefined }),
    "invalid-symbol",
    "symbol (or ticker) is missing; 1 to 32 of A-Z 0-9 . : _ - are expected",
  ],
  [trade({ symbol: "aapl" }), "invalid-symbol", 'symbol is the text "aapl"'],
  [trade({ symbol: undefined, ticker: 7 }), "invalid-symbol", "ticker is 7"],
  [trade({ symbol: "MSFT" }), "invalid-symbol", 'symbol is the text "MSFT", and the record\'s key is the text "AAPL"'],
  [trade({ ticker: "MSFT" }), "invalid-symbol", "give one of them"],
  [
    trade({ trade_id: undefined }),
    "invalid-message",
    "trade_id is missing; 1 to 64 of A-Z a-z 0-9 : _ . - are expected",
  ],
  [trade({ trade_id: 17 }), "invalid-message", "trade_id is 17;"],
  [trade({ trade_id: "a b" }), "invalid-message", 'trade_id is the text "a b"'],
  [trade({ trade_id: "x".repeat(65) }), "invalid-message", "trade_id is the text"],
  [trade({ timestamp: undefined }), "invalid-message", "timestamp is missing; RFC 3339 with an offset, or epoch"],
  [
    trade({ timestamp: "2026-01-13T14:30:45" }),
    "invalid-message",
    "an offset such as Z or +01:00 is expected behind it",
  ],
  [trade({ timestamp: "13.1.2026" }), "invalid-message", 'timestamp is the text "13.1.2026"; RFC 3339 with an offset'],
  [trade({ timestamp: "2026-02-30T00:00:00Z" }), "invalid-message", "there is no such date, time or offset"],
  [trade({ timestamp: 1.8e18 }), "out-of-range", "it would fit in nanoseconds"],
  [trade({ price: "150.25" }), "invalid-message", 'price is the text "150.25"; a number is expected'],
  [trade({ price: null }), "invalid-message", "price is null; a number is expected"],
  [trade({ price: 0 }), "out-of-range", "price is 0; it must be above 0, and at most 1e+100"],
  [trade({ amount: -1 }), "out-of-range", "amount is -1; it must be 0 or more, and at most 1e+100"],
  [trade({ quantity: -0.5 }), "out-of-range", "quantity is -0.5; it must be above 0"],
  [
    `{"trade_id":"t","timestamp":1,"symbol":"AAPL","price":1e400}`,
    "out-of-range",
    "price is 1e400; it must be above 0",
  ],
  [trade({ price: undefined, amount: undefined }), "invalid-message", "price and amount are missing; at least one"],
  [
    trade({ amount: 6_011 }),
    "invalid-message",
    "amount is 6011, and price × quantity is 150.25 × 40 = 6010: they must",
  ],
  [trade({ currency: "usd" }), "invalid-message", 'currency is the text "usd"; three letters of ISO 4217'],
  [trade({ side: "hold" }), "invalid-message", 'side is the text "hold"; buy or sell is expected'],
  [trade({ account: 7 }), "invalid-message", "account is 7; a text of 1 to 64 characters is expected"],
  [trade({ account: "" }), "invalid-message", 'account is the text ""'],
  [trade({ account: "é".repeat(65) }), "invalid-message", "account has 65 characters; at most 64 are allowed"],
  [
    trade({ status: "done" }),
    "invalid-message",
    'status is the text "done"; pending or executed or cancelled is expected',
  ],
];

test.each(wrong)("%j is refused as %s: %s", (value, code, message) => {
  const { rejection } = decode(value);
  expect(rejection?.code).toBe(code);
  expect(rejection?.message).toContain(message);
});

test("all that is wrong is named at once", () => {
  const { rejection } = decode(trade({ trade_id: "", price: "x", side: 1, status: null }));
  expect(rejection?.message.split("; ").filter((part) => part.includes(" is "))).toEqual([
    'trade_id is the text ""',
    'price is the text "x"',
    "a number is expected",
    "side is 1",
    "buy or sell is expected",
    "status is null",
    "pending or executed or cancelled is expected",
  ]);
});

test("bytes that are no UTF-8, too many bytes, and another form are refused", () => {
  expect(decode(Uint8Array.of(0x7b, 0xff)).rejection?.code).toBe("invalid-json");
  expect(decode(trade({ note: "x".repeat(262_144) })).rejection?.message).toContain("at most 262144 are allowed");
  expect(decode(given, "AAPL", "text/csv").rejection).toEqual({
    code: "unknown-content-type",
    message: 'content-type is the text "text/csv"; use application/json',
  });
});

// Examples of RFC 3339, section 5.8, with their times by `date -u -d … +%s%3N`.
test.each([
  ["1985-04-12T23:20:50.52Z", 482_196_050_520],
  ["1996-12-19T16:39:57-08:00", 851_042_397_000],
  ["1990-12-31T23:59:60Z", 662_688_000_000],
  ["1990-12-31T15:59:60-08:00", 662_688_000_000],
  ["1937-01-01T12:00:27.87+00:20", -1_041_337_172_130],
  ["2026-01-13t14:30:45.5z", 1_768_314_645_500],
  ["2024-02-29T00:00:00+23:59", 1_709_078_460_000],
  ["0001-01-01T00:00:00Z", -62_135_596_800_000],
])("%s is %i ms", (text, expected) => {
  expect(readTimestamp(text)).toBe(expected);
});

test.each([
  "2023-02-29T00:00:00Z",
  "2026-13-01T00:00:00Z",
  "2026-01-13T24:00:00Z",
  "2026-01-13T00:60:00Z",
  "2026-01-13T00:00:61Z",
  "2026-01-13T00:00:00+24:00",
  "2026-01-13T00:00:00+0100",
  "2026-01-13",
  "",
])("%j is no time", (text) => {
  expect(typeof readTimestamp(text)).toBe("string");
});
