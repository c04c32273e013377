import { tradeLimits, type Trade, type TradeStatus } from "../../../domain/market.ts";
import type { Reference } from "../../../domain/reference.ts";
import type { EpochMs } from "../../../domain/time.ts";
import { Piece, type JsonBytes } from "../../runtime/json-bytes.ts";
import type { TradeContent } from "./trade-book.ts";
import type { TradeMessage } from "./trade-message.ts";

/** No sum of such amounts overflows. */
const MAX_USD = tradeLimits.figure ** 2;

/** What both a message and a trade of the book have. */
type Content = Pick<TradeContent, "price" | "quantity" | "amount" | "currency" | "side" | "account">;

/** The amount in US dollars; null where the amount or the currency's rate is not known. */
export function amountUsd({ amount, currency }: Content, reference: Reference | null): number | null {
  const rate = currency === "USD" ? 1 : reference?.rates[currency];
  const usd = amount * (rate ?? NaN);
  return usd <= MAX_USD ? usd : null;
}

/** A trade as outputs have it: what it has not is left out. */
export function tradeFields(id: string, time: EpochMs, content: Content, status: TradeStatus): Trade {
  const { price, quantity, amount, currency, side, account } = content;
  return {
    trade_id: id,
    timestamp: time,
    ...(price === price ? { price } : {}),
    ...(quantity === quantity ? { quantity } : {}),
    ...(amount === amount ? { amount } : {}),
    currency,
    ...(side === null ? {} : { side }),
    ...(account === null ? {} : { account }),
    status,
  };
}

const TIMESTAMP = new Piece('","timestamp":');
const PRICE = new Piece(',"price":');
const QUANTITY = new Piece(',"quantity":');
const AMOUNT = new Piece(',"amount":');
const AMOUNT_USD = new Piece(',"amountUsd":');
const CURRENCY = new Piece(',"currency":"');
const CURRENCY_END = new Piece('"');
const ACCOUNT = new Piece(',"account":');
const sideFields = { buy: new Piece(',"side":"buy"'), sell: new Piece(',"side":"sell"') } as const;
const statusFields = {
  pending: new Piece(',"status":"pending"'),
  executed: new Piece(',"status":"executed"'),
  cancelled: new Piece(',"status":"cancelled"'),
} as const;

/** The first field of a symbol's enriched trades, and the second one up to its text. */
export function headOf(symbol: string): Piece {
  return new Piece(`,"symbol":"${symbol}","trade_id":"`);
}

/**
 * Writes the fields of `tradeFields` of a received trade behind `headOf` its symbol, then its amount in US dollars.
 *
 * @param usd Null where it is not known.
 */
export function writeTrade(bytes: JsonBytes, message: TradeMessage, usd: number | null): void {
  const { price, quantity, amount, currency, side, account, status } = message;
  bytes.copy(message.idBytes, message.idFrom, message.idTo);
  bytes.piece(TIMESTAMP);
  bytes.number(message.firstTime);
  if (price === price) {
    bytes.piece(PRICE);
    bytes.number(price);
  }
  if (quantity === quantity) {
    bytes.piece(QUANTITY);
    bytes.number(quantity);
  }
  let amountFrom = 0;
  let amountTo = 0;
  if (amount === amount) {
    bytes.piece(AMOUNT);
    amountFrom = bytes.length;
    bytes.number(amount);
    amountTo = bytes.length;
  }
  bytes.piece(CURRENCY);
  bytes.raw(currency);
  bytes.piece(CURRENCY_END);
  if (side !== null) bytes.piece(sideFields[side]);
  if (account !== null) {
    bytes.piece(ACCOUNT);
    bytes.text(account);
  }
  bytes.piece(statusFields[status]);
  bytes.piece(AMOUNT_USD);
  if (usd === amount) bytes.again(amountFrom, amountTo);
  else bytes.number(usd ?? NaN);
}

/** The amount in US dollars that a trade was counted with; null for none. */
export function amountOf({ amountUsd: usd }: { readonly amountUsd: number }): number | null {
  return usd === usd ? usd : null;
}
