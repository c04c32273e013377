/** The bars of one symbol, and what its newest trades make of the minute that no bar tells yet. */

import type { EnrichedRecord as TradeRecord } from "../domain/records.ts";
import type { Bar } from "./api.ts";

/**
 * A bar as the chart shows it. Figures that nobody knows are null. `time`: the beginning of the last minute of its
 * window, epoch ms; `final`: whether a bar record tells it, or only the trades that this page has seen.
 */
export type Candle = Pick<
  Bar,
  | "window"
  | "count"
  | "pending"
  | "cancelled"
  | "open"
  | "high"
  | "low"
  | "close"
  | "volume"
  | "vwap"
  | "revision"
  | "lastTrade"
> & { time: number; final: boolean };

const MINUTE = 60_000;
export const TUMBLING = "tumbling-60000";
export const SLIDING = "sliding-300000-60000";
/** Length of each operator's windows, in ms. */
const LENGTHS = new Map([
  [TUMBLING, MINUTE],
  [SLIDING, 5 * MINUTE],
]);
/** Bars that are kept of each operator: the newest. */
const MAX_BARS = 3_000;
/** Trades that are kept of the minutes without a bar: the newest. */
const MAX_TRADES = 20_000;
const STATUSES = ["pending", "executed", "cancelled"];

export class Bars {
  /** Per operator, by the start of the window. */
  #bars: Map<string, Map<number, Bar>> = new Map([...LENGTHS.keys()].map((operator) => [operator, new Map()]));
  /** Of minutes without a bar, by trade id, in the order of arrival. */
  #trades: Map<string, TradeRecord> = new Map();
  /** Start of the newest tumbling bar: a minute up to it has its bar, or gets none, because windows fire in order. */
  #newest = -Infinity;

  /** Takes a bar, unless a later revision of it is known. */
  add(bar: Bar) {
    const bars = this.#bars.get(bar.operator);
    const known = bars?.get(bar.window.start);
    if (!bars || (known && known.revision > bar.revision)) return;
    bars.set(bar.window.start, bar);
    if (bars.size > MAX_BARS) bars.delete(Math.min(...bars.keys()));
    if (bar.operator !== TUMBLING || bar.window.start <= this.#newest) return;
    this.#newest = bar.window.start;
    for (const [id, { timestamp }] of this.#trades) if (minuteOf(timestamp) <= this.#newest) this.#trades.delete(id);
  }

  /** Takes a trade. One whose minute has a bar is in that bar, or will be in a revision. */
  trade(trade: TradeRecord) {
    if (minuteOf(trade.timestamp) <= this.#newest) return;
    const known = this.#trades.get(trade.trade_id);
    if (known && STATUSES.indexOf(known.status) >= STATUSES.indexOf(trade.status)) return;
    this.#trades.set(trade.trade_id, trade);
    const oldest = this.#trades.keys().next();
    if (this.#trades.size > MAX_TRADES && !oldest.done) this.#trades.delete(oldest.value);
  }

  /** Oldest first, with those that are still forming at the end. */
  candles(operator: string): Candle[] {
    const bars = [...(this.#bars.get(operator)?.values() ?? [])].map((bar) => fromBar(bar));
    return [...bars, ...this.#forming(operator)].sort((a, b) => a.time - b.time);
  }

  #forming(operator: string): Candle[] {
    const minutes = this.#formingMinutes();
    const bars = this.#bars.get(operator);
    const length = LENGTHS.get(operator);
    if (!bars || !length) return [];
    if (operator === TUMBLING) return minutes;
    const parts = [...[...(this.#bars.get(TUMBLING)?.values() ?? [])].map((bar) => fromBar(bar)), ...minutes];
    return minutes
      .map(({ time }) => ({ start: time + MINUTE - length, end: time + MINUTE }))
      .filter(({ start }) => !bars.has(start))
      .map((window) =>
        merge(
          window,
          parts.filter(({ time }) => time >= window.start && time < window.end),
        ),
      );
  }

  #formingMinutes() {
    const minutes: Map<number, TradeRecord[]> = new Map();
    for (const trade of this.#trades.values()) {
      const minute = minuteOf(trade.timestamp);
      const others = minutes.get(minute);
      if (others) others.push(trade);
      else minutes.set(minute, [trade]);
    }
    return [...minutes].map(([start, trades]) => fromTrades(start, trades)).sort((a, b) => a.time - b.time);
  }
}

function minuteOf(timestamp: number) {
  return Math.floor(timestamp / MINUTE) * MINUTE;
}

function fromBar(bar: Bar): Candle {
  return { ...bar, time: bar.window.end - MINUTE, final: true };
}

/** @param trades In the order of arrival. */
function fromTrades(start: number, trades: TradeRecord[]): Candle {
  const executed = trades.filter(({ status }) => status === "executed").sort((a, b) => a.timestamp - b.timestamp);
  const prices = executed.flatMap((trade) => (trade.price === undefined ? [] : [trade.price]));
  const quantities = executed.flatMap((trade) => (trade.quantity === undefined ? [] : [trade.quantity]));
  const both = executed.flatMap(({ price, quantity }) =>
    price === undefined || quantity === undefined ? [] : [{ price, quantity }],
  );
  return {
    window: { start, end: start + MINUTE },
    time: start,
    final: false,
    revision: 0,
    count: executed.length,
    pending: trades.filter(({ status }) => status === "pending").length,
    cancelled: trades.filter(({ status }) => status === "cancelled").length,
    open: prices[0] ?? null,
    high: orNull(prices, (values) => Math.max(...values)),
    low: orNull(prices, (values) => Math.min(...values)),
    close: prices.at(-1) ?? null,
    volume: orNull(quantities, sum),
    vwap: orNull(
      both,
      (parts) => sum(parts.map((part) => part.price * part.quantity)) / sum(parts.map((part) => part.quantity)),
    ),
    lastTrade: executed.at(-1)?.timestamp ?? null,
  };
}

/** The window that these minutes make. */
function merge(window: { start: number; end: number }, minutes: Candle[]) {
  const parts = minutes.toSorted((a, b) => a.time - b.time);

  const known = (read: (part: Candle) => number | null) => parts.map(read).filter((value) => value !== null);
  const weighted = parts.flatMap(({ vwap, volume }) => (vwap === null || volume === null ? [] : [{ vwap, volume }]));
  return {
    window,
    time: window.end - MINUTE,
    final: false,
    revision: 0,
    count: sum(parts.map(({ count }) => count)),
    pending: sum(parts.map(({ pending }) => pending)),
    cancelled: sum(parts.map(({ cancelled }) => cancelled)),
    open: known(({ open }) => open)[0] ?? null,
    high: orNull(
      known(({ high }) => high),
      (values) => Math.max(...values),
    ),
    low: orNull(
      known(({ low }) => low),
      (values) => Math.min(...values),
    ),
    close: known(({ close }) => close).at(-1) ?? null,
    volume: orNull(
      known(({ volume }) => volume),
      sum,
    ),
    vwap: orNull(
      weighted,
      (all) => sum(all.map(({ vwap, volume }) => vwap * volume)) / sum(all.map(({ volume }) => volume)),
    ),
    lastTrade: known(({ lastTrade }) => lastTrade).at(-1) ?? null,
  };
}

function sum(values: number[]) {
  return values.reduce((total, value) => total + value, 0);
}

function orNull<T>(values: T[], figure: (values: T[]) => number) {
  return values.length === 0 ? null : figure(values);
}
