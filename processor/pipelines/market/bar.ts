import type { EpochMs, Milliseconds } from "../../../domain/time.ts";
import type { Aggregate } from "../../operators/aggregate.ts";
import { addToPair } from "../../operators/exact-sum.ts";
import { AMOUNT_USD, type BookedTrade, NUMBER, PRICE, QUANTITY, TIME } from "./trade-book.ts";
import type { TradeMessage } from "./trade-message.ts";

// What the doubles of an accumulator hold.
/** Trades by status. */
const EXECUTED = 0;
const PENDING = 1;
const CANCELLED = 2;
/** Of the first trade with a price by (time, number): time, number, price; likewise of the last. */
const OPEN = 3;
const CLOSE = 6;
const HIGH = 9;
const LOW = 10;
/** Trades with a price; with a quantity; with both; with an amount in US dollars. */
const PRICES = 11;
const QUANTITIES = 12;
const PRODUCTS = 13;
const AMOUNTS = 14;
/** Sums, each as two doubles: quantities; those of trades with a price; price × quantity; amounts in US dollars. */
const VOLUME = 15;
const PRICED_VOLUME = 17;
const TURNOVER = 19;
const NOTIONAL = 21;
/** Amounts in US dollars. */
const LEAST = 23;
const MOST = 24;
/** Times of executed trades. */
const FIRST = 25;
const LAST = 26;
const SIZE = 27;

/**
 * A bar: what is known of the executed trades of a window. A trade that is cancelled is taken out again. Where it was
 * the first, the last or an extreme, the bar is made anew from the book; sums take it back.
 *
 * @param windowMs Length of a window.
 */
export function bars(windowMs: Milliseconds): Aggregate<TradeMessage> {
  // One object for all results, filled anew for each: a bar costs no objects.
  const notional = { sum: null, mean: null, min: null, max: null } as Record<string, number | null>;
  const record: Record<string, unknown> = {
    count: 0,
    pending: 0,
    cancelled: 0,
    open: null,
    high: null,
    low: null,
    close: null,
    volume: null,
    vwap: null,
    notional,
    firstTrade: null,
    lastTrade: null,
  };
  return {
    size: SIZE,
    fold(bar, at, rows, message, _from, _to, start) {
      if (rows === 0) bar.fill(0, at, at + SIZE);
      const trade = message.trade!;
      const { statusBefore } = message;
      if (statusBefore === "pending") bar[at + PENDING]!--;
      if (trade.status === "pending") bar[at + PENDING]!++;
      if (trade.status === "cancelled") bar[at + CANCELLED]!++;
      if (trade.status === "executed") takeIn(bar, at, trade);
      else if (statusBefore === "executed") takeOut(bar, at, trade, message, start, windowMs);
    },
    result(bar, at) {
      const [trades, prices, amounts] = [bar[at + EXECUTED]!, bar[at + PRICES]!, bar[at + AMOUNTS]!];
      const known = (count: number, value: number): number | null =>
        count > 0 && Number.isFinite(value) ? value : null;
      record["count"] = trades;
      record["pending"] = bar[at + PENDING];
      record["cancelled"] = bar[at + CANCELLED];
      record["open"] = known(prices, bar[at + OPEN + 2]!);
      record["high"] = known(prices, bar[at + HIGH]!);
      record["low"] = known(prices, bar[at + LOW]!);
      record["close"] = known(prices, bar[at + CLOSE + 2]!);
      record["volume"] = known(bar[at + QUANTITIES]!, bar[at + VOLUME]!);
      record["vwap"] = known(bar[at + PRODUCTS]!, bar[at + TURNOVER]! / bar[at + PRICED_VOLUME]!);
      notional["sum"] = known(amounts, bar[at + NOTIONAL]!);
      notional["mean"] = known(amounts, bar[at + NOTIONAL]! / amounts);
      notional["min"] = known(amounts, bar[at + LEAST]!);
      notional["max"] = known(amounts, bar[at + MOST]!);
      record["firstTrade"] = known(trades, bar[at + FIRST]!);
      record["lastTrade"] = known(trades, bar[at + LAST]!);
      return record;
    },
  };
}

/** The close in a bar's result; null for none. */
export function closeOf(result: object): number | null {
  return (result as { readonly close: number | null }).close;
}

function takeIn(bar: Float64Array, at: number, { figures, at: own }: BookedTrade): void {
  const time = figures[own + TIME]!;
  const number = figures[own + NUMBER]!;
  const price = figures[own + PRICE]!;
  const amountUsd = figures[own + AMOUNT_USD]!;
  if (bar[at + EXECUTED]!++ === 0) {
    bar[at + FIRST] = time;
    bar[at + LAST] = time;
  } else {
    if (time < bar[at + FIRST]!) bar[at + FIRST] = time;
    if (time > bar[at + LAST]!) bar[at + LAST] = time;
  }
  if (price === price) {
    const isFirst = bar[at + PRICES]!++ === 0;
    if (isFirst || isBefore(time, number, bar, at + OPEN)) setEdge(bar, at + OPEN, time, number, price);
    if (isFirst || !isBefore(time, number, bar, at + CLOSE)) setEdge(bar, at + CLOSE, time, number, price);
    if (isFirst || price > bar[at + HIGH]!) bar[at + HIGH] = price;
    if (isFirst || price < bar[at + LOW]!) bar[at + LOW] = price;
  }
  if (amountUsd === amountUsd) {
    const isFirst = bar[at + AMOUNTS] === 0;
    if (isFirst || amountUsd < bar[at + LEAST]!) bar[at + LEAST] = amountUsd;
    if (isFirst || amountUsd > bar[at + MOST]!) bar[at + MOST] = amountUsd;
  }
  addSums(bar, at, figures, own, 1);
}

/** Adds a trade's figures to the sums, or takes them out: `sign` is 1 or -1. */
function addSums(bar: Float64Array, at: number, figures: Float64Array, own: number, sign: 1 | -1): void {
  const price = figures[own + PRICE]!;
  const quantity = figures[own + QUANTITY]!;
  const amountUsd = figures[own + AMOUNT_USD]!;
  if (quantity === quantity) {
    bar[at + QUANTITIES]! += sign;
    addToPair(bar, at + VOLUME, sign * quantity);
    if (price === price) {
      bar[at + PRODUCTS]! += sign;
      addToPair(bar, at + PRICED_VOLUME, sign * quantity);
      addToPair(bar, at + TURNOVER, sign * price * quantity);
    }
  }
  if (amountUsd === amountUsd) {
    bar[at + AMOUNTS]! += sign;
    addToPair(bar, at + NOTIONAL, sign * amountUsd);
  }
}

function takeOut(
  bar: Float64Array,
  at: number,
  trade: BookedTrade,
  { book }: TradeMessage,
  start: EpochMs,
  windowMs: Milliseconds,
): void {
  const { time, price, amountUsd } = trade;
  const isEdge =
    time === bar[at + FIRST] ||
    time === bar[at + LAST] ||
    (price === price &&
      (isAt(trade, bar, at + OPEN) ||
        isAt(trade, bar, at + CLOSE) ||
        price === bar[at + HIGH] ||
        price === bar[at + LOW])) ||
    amountUsd === bar[at + LEAST] ||
    amountUsd === bar[at + MOST];
  if (isEdge) {
    const [pending, cancelled] = [bar[at + PENDING]!, bar[at + CANCELLED]!];
    bar.fill(0, at, at + SIZE);
    bar[at + PENDING] = pending;
    bar[at + CANCELLED] = cancelled;
    for (const other of book!.executedIn(start, start + windowMs)) takeIn(bar, at, other);
    return;
  }
  bar[at + EXECUTED]!--;
  if (price === price) bar[at + PRICES]!--;
  addSums(bar, at, trade.figures, trade.at, -1);
}

/** Whether a trade comes before the one at an edge: by time, then by first sight. */
function isBefore(time: EpochMs, number: number, bar: Float64Array, edge: number): boolean {
  return time < bar[edge]! || (time === bar[edge] && number < bar[edge + 1]!);
}

function isAt({ time, number }: BookedTrade, bar: Float64Array, edge: number): boolean {
  return time === bar[edge] && number === bar[edge + 1];
}

function setEdge(bar: Float64Array, edge: number, time: EpochMs, number: number, price: number): void {
  bar[edge] = time;
  bar[edge + 1] = number;
  bar[edge + 2] = price;
}
