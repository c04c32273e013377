import type { TradeSide, TradeStatus } from "../../domain/market.ts";
import { SECOND, type EpochMs, type Milliseconds } from "../../domain/time.ts";
import { normal, seededRandom, type Random } from "./random.ts";

/** What synthetic trades are made from. */
export interface SyntheticMarket {
  readonly symbols: number;
  /** Trades a second, of all symbols together. */
  readonly rate: number;
  readonly seed: number | string;
}

export const marketLimits = { symbols: 10_000, rate: 10_000 } as const;

/** A synthetic trade, before it has an id and a time of day. */
export interface SyntheticTrade {
  /** Since the start. */
  readonly atMs: Milliseconds;
  /** Counts from 0. */
  readonly number: number;
  readonly symbol: string;
  readonly currency: string;
  /** A multiple of 0.01. */
  readonly price: number;
  readonly quantity: number;
  readonly side: TradeSide;
  readonly account: string;
  /** How long the trade is pending before it is executed; 0 for one that is executed at once. */
  readonly pendingMs: Milliseconds;
}

/** A trade as producers put it: the contract's fields. */
export interface TradeDetail {
  readonly trade_id: string;
  /** RFC 3339, in UTC. */
  readonly timestamp: string;
  readonly symbol: string;
  readonly price: number;
  readonly quantity: number;
  readonly amount: number;
  readonly currency: string;
  readonly side: TradeSide;
  readonly account: string;
  readonly status: TradeStatus;
}

const listed = [
  { symbol: "AAPL", currency: "USD", price: 190 },
  { symbol: "MSFT", currency: "USD", price: 410 },
  { symbol: "SAP.DE", currency: "EUR", price: 180 },
  { symbol: "NVDA", currency: "USD", price: 120 },
  { symbol: "SHEL.L", currency: "GBP", price: 27 },
  { symbol: "AMZN", currency: "USD", price: 185 },
  { symbol: "7203.T", currency: "JPY", price: 2_600 },
  { symbol: "JPM", currency: "USD", price: 205 },
  { symbol: "NESN.SW", currency: "CHF", price: 92 },
  { symbol: "XOM", currency: "USD", price: 115 },
] as const;

const ACCOUNTS = 20;
const MAX_QUANTITY = 500;
const PENDING_SHARE = 0.05;
const MIN_PENDING_MS = 1 * SECOND;
const MAX_PENDING_MS = 5 * SECOND;
/** Standard deviation of a price's change from one trade to the next, relative to it. */
const STEP = 0.0005;
/** Share of the distance to the first price that each trade takes back, so that a price stays near it for ever. */
const REVERSION = 0.001;

/** An instrument, with its price's way so far. */
interface Instrument {
  readonly symbol: string;
  readonly currency: string;
  readonly firstPrice: number;
  readonly random: Random;
  /** Logarithm of the price over the first one. */
  distance: number;
}

/**
 * Trades without end, in the order of their times: a random walk for each symbol. They arrive as a Poisson process. The
 * same options give the same trades; each symbol draws from a source of its own.
 */
export function* syntheticTrades({ symbols, rate, seed }: SyntheticMarket): Generator<SyntheticTrade, never> {
  const instruments = Array.from({ length: symbols }, (_, n) => instrument(n, seed));
  const arrivals = seededRandom(seed, "arrivals");
  let atMs = 0;
  for (let number = 0; ; number++) {
    atMs += (-Math.log(1 - arrivals()) / rate) * SECOND;
    yield tradeOf(instruments[Math.floor(arrivals() * symbols)]!, atMs, number);
  }
}

function instrument(n: number, seed: number | string): Instrument {
  const { symbol, currency, price } = listed[n % listed.length]!;
  const name = n < listed.length ? symbol : `SIM${String(n + 1).padStart(3, "0")}`;
  return { symbol: name, currency, firstPrice: price, random: seededRandom(seed, name, "trades"), distance: 0 };
}

/** Draws the same number of random numbers for each trade. */
function tradeOf(instrument: Instrument, atMs: Milliseconds, number: number): SyntheticTrade {
  const { symbol, currency, firstPrice, random } = instrument;
  instrument.distance += STEP * normal(random) - REVERSION * instrument.distance;
  const size = random();
  const side = random();
  const account = random();
  const pending = random();
  const pendingFor = random();
  return {
    atMs,
    number,
    symbol,
    currency,
    price: cents(firstPrice * Math.exp(instrument.distance)),
    // The cube makes most trades small.
    quantity: 1 + Math.floor(MAX_QUANTITY * size ** 3),
    side: side < 0.5 ? "buy" : "sell",
    account: `ACC-${1 + Math.floor(ACCOUNTS * account)}`,
    pendingMs: pending < PENDING_SHARE ? MIN_PENDING_MS + pendingFor * (MAX_PENDING_MS - MIN_PENDING_MS) : 0,
  };
}

/**
 * The trade as it is put.
 *
 * @param run Part of the id, so that two runs' trades differ in it
 * @param time Event time of the trade
 */
export function tradeDetail(
  { number, symbol, price, quantity, currency, side, account }: SyntheticTrade,
  run: string,
  time: EpochMs,
  status: TradeStatus,
): TradeDetail {
  return {
    trade_id: `SIM-${run}-${number}`,
    timestamp: new Date(time).toISOString(),
    symbol,
    price,
    quantity,
    amount: cents(price * quantity),
    currency,
    side,
    account,
    status,
  };
}

function cents(value: number): number {
  return Math.round(value * 100) / 100;
}
