import { codePoints } from "../../../domain/imu.ts";
import {
  CURRENCY,
  SYMBOL,
  TRADE_ID,
  tradeLimits,
  type TradeSide,
  tradeSides,
  type TradeStatus,
  tradeStatuses,
} from "../../../domain/market.ts";
import { MAX_EPOCH_MS, unitOf } from "../../../domain/time.ts";
import { contentTypes, headers as headerNames } from "../../../domain/topics.ts";
import type { Rejection } from "../../runtime/message.ts";
import { described, whyNotJson, written } from "../../runtime/received.ts";
import { readTimestamp } from "./read-timestamp.ts";
import { scanTrade } from "./scan-trade.ts";
import type { TradeMessage } from "./trade-message.ts";

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const ids = "1 to 64 of A-Z a-z 0-9 : _ . -";
const symbols = "1 to 32 of A-Z 0-9 . : _ -";

/** A trade as JSON: nothing is known of its fields. */
type Received = { readonly [K in keyof typeof fieldReaders | "symbol" | "ticker"]?: unknown };
/** Takes a field into the message; gives what is wrong with it, or null. */
type ReadField = (value: unknown, message: TradeMessage, bytes: Uint8Array) => Rejection | null;

/**
 * Decodes and validates a trade. It takes all of it or nothing, and tells everything that is wrong at once. Figures
 * that are not given are derived where two of the three are there.
 */
export function decodeTrade(
  key: string,
  bytes: Uint8Array,
  headers: Readonly<Record<string, string>>,
  message: TradeMessage,
): Rejection | null {
  message.known = null;
  message.key = key;
  message.rows = 1;
  message.bytes = bytes;
  const contentType = headers[headerNames.contentType];
  const isUsual =
    (contentType === undefined || contentType === contentTypes.json) &&
    bytes.length <= tradeLimits.payloadBytes &&
    Buffer.isBuffer(bytes) &&
    scanTrade(key, bytes, message);
  const problems = isUsual ? [] : readThoroughly(key, bytes, contentType, message);
  if (problems.length === 0) derive(message, problems);
  return problems.length === 0 ? null : allOf(problems);
}

/** Reads a trade that may be anything, and tells all that is wrong with it. */
function readThoroughly(
  key: string,
  bytes: Uint8Array,
  contentType: string | undefined,
  message: TradeMessage,
): Rejection[] {
  const value = readJson(bytes, contentType);
  if ("code" in value) return [value];
  const problems: Rejection[] = [];
  const received = value.json as Received;
  const symbol = symbolProblem(key, received);
  if (symbol) problems.push(symbol);
  for (const name of fieldNames) {
    const problem = fieldReaders[name](received[name], message, bytes);
    if (problem) problems.push(problem);
  }
  return problems;
}

/** Several problems as one: the first one's code. */
function allOf(problems: readonly Rejection[]): Rejection {
  return { code: problems[0]!.code, message: problems.map(({ message }) => message).join("; ") };
}

function readJson(bytes: Uint8Array, contentType: string | undefined): Rejection | { readonly json: object } {
  const form = contentType ? contentType.split(";")[0]!.trim().toLowerCase() : contentTypes.json;
  if (form !== contentTypes.json)
    return { code: "unknown-content-type", message: `content-type is ${described(form)}; use ${contentTypes.json}` };
  if (bytes.length > tradeLimits.payloadBytes) {
    const message = `the trade has ${bytes.length} bytes; at most ${tradeLimits.payloadBytes} are allowed`;
    return { code: "payload-too-large", message };
  }
  let json: unknown;
  try {
    json = JSON.parse(utf8.decode(bytes));
  } catch (error) {
    const message =
      bytes.length === 0
        ? "the record has no value; a trade as JSON is expected"
        : whyNotJson("the value", bytes, error);
    return { code: "invalid-json", message };
  }
  if (typeof json === "object" && json !== null && !Array.isArray(json)) return { json };
  return { code: "invalid-message", message: `the trade is ${described(json)}; an object is expected` };
}

function symbolProblem(key: string, { symbol, ticker }: Received): Rejection | null {
  const given = symbol ?? ticker;
  const name = symbol === undefined ? "ticker" : "symbol";
  const wrong = (message: string): Rejection => ({ code: "invalid-symbol", message });
  if (given === undefined) return wrong(`symbol (or ticker) is missing; ${symbols} are expected`);
  if (typeof given !== "string" || !SYMBOL.test(given))
    return wrong(`${name} is ${described(given)}; ${symbols} are expected`);
  if (ticker !== undefined && symbol !== undefined && symbol !== ticker)
    return wrong(`symbol is ${described(symbol)} and ticker ${described(ticker)}: give one of them`);
  return key === given ? null : wrong(`${name} is ${described(given)}, and the record's key is ${described(key)}`);
}

const invalid = (message: string): Rejection => ({ code: "invalid-message", message });
const outOfRange = (message: string): Rejection => ({ code: "out-of-range", message });

/** Reads a number above `least`, or from it on. */
function figure(name: "price" | "quantity" | "amount", positive: boolean): ReadField {
  const expected = `${positive ? "above 0" : "0 or more"}, and at most ${tradeLimits.figure}`;
  return (value, message, bytes) => {
    message[name] = NaN;
    if (value === undefined) return null;
    if (typeof value !== "number") return invalid(`${name} is ${described(value)}; a number is expected`);
    if (value < 0 || (positive && value === 0) || value > tradeLimits.figure)
      return outOfRange(`${name} is ${written(bytes, value, name)}; it must be ${expected}`);
    message[name] = value + 0; // no negative zero
    return null;
  };
}

/** Reads one of several words. */
function word<T extends string>(
  name: string,
  words: readonly T[],
  take: (m: TradeMessage, value: T) => void,
): ReadField {
  return (value, message) => {
    if (!words.includes(value as T))
      return invalid(`${name} is ${described(value)}; ${words.join(" or ")} is expected`);
    take(message, value as T);
    return null;
  };
}

const side = word<TradeSide>("side", tradeSides, (message, value) => (message.side = value));
const status = word<TradeStatus>("status", tradeStatuses, (message, value) => (message.status = value));

const fieldReaders = {
  trade_id: (value, message) => {
    if (typeof value !== "string") return invalid(`trade_id is ${described(value)}; ${ids} are expected`);
    if (!TRADE_ID.test(value)) return invalid(`trade_id is ${described(value)}; ${ids} are expected`);
    message.idBytes = Buffer.from(value, "latin1");
    message.idFrom = 0;
    message.idTo = value.length;
    return null;
  },
  timestamp: (value, message, bytes) => {
    if (typeof value !== "string" && typeof value !== "number")
      return invalid(`timestamp is ${described(value)}; RFC 3339 with an offset, or epoch milliseconds, is expected`);
    const time = typeof value === "number" ? value : readTimestamp(value);
    if (typeof time === "string") return invalid(`timestamp is ${described(value)}; ${time}`);
    if (!(Math.abs(time) <= MAX_EPOCH_MS)) {
      const unit = unitOf(time, 1e12, 1e13);
      const advice = unit === null ? "" : `: it would fit in ${unit}`;
      const received = typeof value === "number" ? written(bytes, value, "timestamp") : value;
      return outOfRange(`timestamp is ${received}; epoch milliseconds up to ${MAX_EPOCH_MS} are allowed${advice}`);
    }
    message.t[0] = time;
    return null;
  },
  price: figure("price", true),
  quantity: figure("quantity", true),
  amount: figure("amount", false),
  currency: (value, message) => {
    message.currency = "USD";
    if (value === undefined) return null;
    if (typeof value !== "string" || !CURRENCY.test(value))
      return invalid(`currency is ${described(value)}; three letters of ISO 4217, such as USD, are expected`);
    message.currency = value;
    return null;
  },
  side: (value, message, bytes) => {
    message.side = null;
    return value === undefined ? null : side(value, message, bytes);
  },
  account: (value, message) => {
    message.account = null;
    if (value === undefined) return null;
    const most = tradeLimits.accountLength;
    if (typeof value !== "string" || value === "")
      return invalid(`account is ${described(value)}; a text of 1 to ${most} characters is expected`);
    const length = codePoints(value);
    if (length > most) return invalid(`account has ${length} characters; at most ${most} are allowed`);
    message.account = value;
    return null;
  },
  status: (value, message, bytes) => {
    message.status = "executed";
    return value === undefined ? null : status(value, message, bytes);
  },
} satisfies Readonly<Record<string, ReadField>>;

const fieldNames = Object.keys(fieldReaders) as (keyof typeof fieldReaders)[];

/** Derives the figure that is missing of price × quantity = amount. Where all are given, they must agree. */
function derive(message: TradeMessage, problems: Rejection[]): void {
  const { price, quantity, amount } = message;
  const hasPrice = price === price;
  const hasQuantity = quantity === quantity;
  const hasAmount = amount === amount;
  if (!hasPrice && !hasAmount) {
    problems.push(invalid("price and amount are missing; at least one of them is expected"));
  } else if (hasPrice && hasQuantity && hasAmount) {
    const product = price * quantity;
    if (Math.abs(product - amount) <= tradeLimits.agreement * Math.max(product, amount)) return;
    const received = (name: "price" | "quantity" | "amount"): string => written(message.bytes, message[name], name);
    problems.push(
      invalid(
        `amount is ${received("amount")}, and price × quantity is ${received("price")} × ${received("quantity")} = ` +
          `${product}: they must agree to ${tradeLimits.agreement} of the larger`,
      ),
    );
  } else if (hasPrice && hasQuantity) {
    message.amount = price * quantity;
  } else if (hasAmount && hasQuantity) {
    message.price = positive(amount / quantity);
  } else if (hasAmount && hasPrice) {
    message.quantity = positive(amount / price);
  }
}

/** A figure that the contract would take; otherwise NaN. */
const positive = (x: number): number => (x > 0 && x <= tradeLimits.figure ? x : NaN);
