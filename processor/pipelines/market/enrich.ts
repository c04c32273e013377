import { tradeLimits, type Trade, type TradeStatus } from "../../../domain/market.ts";
import type { Reference } from "../../../domain/reference.ts";
import type { EpochMs } from "../../../domain/time.ts";
import type { JsonBytes } from "../../runtime/json-bytes.ts";
import type { TradeContent } from "./trade-book.ts";

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

/** Writes the fields of `tradeFields`, each with a comma in front. */
export function writeTrade(bytes: JsonBytes, id: string, time: EpochMs, content: Content, status: TradeStatus): void {
  const { price, quantity, amount, currency, side, account } = content;
  bytes.raw(',"trade_id":"');
  bytes.raw(id);
  bytes.raw('","timestamp":');
  bytes.number(time);
  if (price === price) {
    bytes.raw(',"price":');
    bytes.number(price);
  }
  if (quantity === quantity) {
    bytes.raw(',"quantity":');
    bytes.number(quantity);
  }
  if (amount === amount) {
    bytes.raw(',"amount":');
    bytes.number(amount);
  }
  bytes.raw(',"currency":"');
  bytes.raw(currency);
  if (side !== null) {
    bytes.raw('","side":"');
    bytes.raw(side);
  }
  bytes.raw('"');
  if (account !== null) {
    bytes.raw(',"account":');
    bytes.text(account);
  }
  bytes.raw(',"status":"');
  bytes.raw(status);
  bytes.raw('"');
}

/** The amount in US dollars that a trade was counted with; null for none. */
export function amountOf({ amountUsd: usd }: { readonly amountUsd: number }): number | null {
  return usd === usd ? usd : null;
}
