import { tradeFieldNames, tradeLimits, tradeSides, tradeStatuses } from "../../../domain/market.ts";
import { MAX_EPOCH_MS } from "../../../domain/time.ts";
import { InternedTexts, isText } from "../../runtime/interned-texts.ts";
import { scannedTo, scanNumber } from "../../runtime/scan-number.ts";
import { readTimestamp } from "./read-timestamp.ts";
import type { TradeMessage } from "./trade-message.ts";

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const BACKSLASH = 0x5c;

/** The fields that are read, each with its bit: it may come once. `candidate` has their numbers. */
const FIELDS = tradeFieldNames;
const bit = (field: (typeof FIELDS)[number]): number => 1 << FIELDS.indexOf(field);
const TRADE_ID = bit("trade_id");
const TIMESTAMP = bit("timestamp");
const SYMBOL = bit("symbol");
const PRICE = bit("price");
const QUANTITY = bit("quantity");
const AMOUNT = bit("amount");
const CURRENCY = bit("currency");
const SIDE = bit("side");
const ACCOUNT = bit("account");
const STATUS = bit("status");
const REQUIRED = TRADE_ID | TIMESTAMP | SYMBOL;

/** Characters of an id and of a symbol, at most. */
const ID_LENGTH = 64;
const SYMBOL_LENGTH = 32;
const CURRENCY_LENGTH = 3;

/** Which bytes an id may have, a symbol, and a currency. */
const inId = bytesOf(/[A-Za-z0-9:_.-]/);
const inSymbol = bytesOf(/[A-Z0-9.:_-]/);
const inCurrency = bytesOf(/[A-Z]/);

function bytesOf(pattern: RegExp): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) => (pattern.test(String.fromCharCode(byte)) ? 1 : 0));
}

/** Accounts and currencies. */
const texts = new InternedTexts();
/** Where the last value that was read ends. */
let end = 0;

function skipSpace(bytes: Buffer, at: number): number {
  let p = at;
  for (let c = bytes[p]; c === 0x20 || c === 0x0a || c === 0x0d || c === 0x09; c = bytes[p]) p++;
  return p;
}

/**
 * Reads a usual trade from its bytes straight into the message, without an object in between. Gives false for
 * everything unusual (unknown or repeated fields, escapes, other types, any error): then the caller takes the slow way,
 * which knows every reason. A figure that is not given is NaN; none is derived.
 */
export function scanTrade(key: string, bytes: Buffer, message: TradeMessage): boolean {
  message.price = NaN;
  message.quantity = NaN;
  message.amount = NaN;
  message.currency = "USD";
  message.side = null;
  message.account = null;
  message.status = "executed";
  let p = skipSpace(bytes, 0);
  if (bytes[p++] !== OPEN_OBJECT) return false;
  let seen = 0;
  for (;;) {
    p = skipSpace(bytes, p);
    if (bytes[p] !== QUOTE) return false;
    const field = fieldAt(bytes, p + 1);
    if (field < 0 || (seen & (1 << field)) !== 0) return false;
    seen |= 1 << field;
    p = skipSpace(bytes, p + FIELDS[field]!.length + 2);
    if (bytes[p] !== COLON) return false;
    p = skipSpace(bytes, p + 1);
    if (!readField(1 << field, key, bytes, p, message)) return false;
    p = skipSpace(bytes, end);
    const next = bytes[p++];
    if (next === COMMA) continue;
    if (next !== CLOSE_OBJECT) return false;
    break;
  }
  return (seen & REQUIRED) === REQUIRED && skipSpace(bytes, p) === bytes.length;
}

/** The number of the field whose name begins at `p`, behind a quote; -1 for another. */
function fieldAt(bytes: Buffer, p: number): number {
  const field = candidate(bytes[p]!, bytes[p + 1]!);
  if (field < 0) return -1;
  const to = p + FIELDS[field]!.length;
  return bytes[to] === QUOTE && isText(FIELDS[field]!, bytes, p, to) ? field : -1;
}

/** The field that a name with these first two characters can be. */
function candidate(first: number, second: number): number {
  switch (first) {
    case 0x74: // t
      return second === 0x72 ? 0 : 1;
    case 0x73: // s
      return second === 0x79 ? 2 : second === 0x69 ? 7 : 9;
    case 0x70: // p
      return 3;
    case 0x71: // q
      return 4;
    case 0x61: // a
      return second === 0x6d ? 5 : 8;
    case 0x63: // c
      return 6;
    default:
      return -1;
  }
}

/** Reads the value at `p` into the message, and sets `end`. */
function readField(field: number, key: string, bytes: Buffer, p: number, message: TradeMessage): boolean {
  if (bytes[p] !== QUOTE) return readNumber(field, bytes, p, message);
  const from = p + 1;
  let to = from;
  for (let c = bytes[to]!; c !== QUOTE; c = bytes[++to]!) if (!(c >= 0x20 && c < 0x7f) || c === BACKSLASH) return false;
  end = to + 1;
  const length = to - from;
  switch (field) {
    case TRADE_ID:
      if (length === 0 || length > ID_LENGTH || !haveAll(inId, bytes, from, to)) return false;
      message.idBytes = bytes;
      message.idFrom = from;
      message.idTo = to;
      return true;
    case SYMBOL:
      return (
        length > 0 && length <= SYMBOL_LENGTH && isText(key, bytes, from, to) && haveAll(inSymbol, bytes, from, to)
      );
    case TIMESTAMP: {
      const time = readTimestamp(bytes.toString("latin1", from, to));
      if (typeof time === "string" || !(Math.abs(time) <= MAX_EPOCH_MS)) return false;
      message.t[0] = time;
      return true;
    }
    case CURRENCY:
      if (length !== CURRENCY_LENGTH || !haveAll(inCurrency, bytes, from, to)) return false;
      message.currency = texts.read(bytes, from, to)!;
      return true;
    case ACCOUNT:
      if (length === 0 || length > tradeLimits.accountLength) return false;
      message.account = texts.read(bytes, from, to)!;
      return true;
    case SIDE:
      for (const side of tradeSides) if (isText(side, bytes, from, to)) return ((message.side = side), true);
      return false;
    case STATUS:
      for (const status of tradeStatuses) if (isText(status, bytes, from, to)) return ((message.status = status), true);
      return false;
    default:
      return false;
  }
}

function readNumber(field: number, bytes: Buffer, p: number, message: TradeMessage): boolean {
  const scanned = scanNumber(bytes, p);
  end = scannedTo();
  if (field === TIMESTAMP) {
    message.t[0] = scanned;
    return Math.abs(scanned) <= MAX_EPOCH_MS;
  }
  const value = scanned + 0; // no negative zero
  if (!(value >= 0 && value <= tradeLimits.figure)) return false;
  if (field === AMOUNT) message.amount = value;
  else if (value === 0) return false;
  else if (field === PRICE) message.price = value;
  else if (field === QUANTITY) message.quantity = value;
  else return false;
  return true;
}

function haveAll(allowed: Uint8Array, bytes: Buffer, from: number, to: number): boolean {
  for (let i = from; i < to; i++) if (allowed[bytes[i]!] === 0) return false;
  return true;
}
