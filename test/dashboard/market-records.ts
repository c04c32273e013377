import type { AccountPosition } from "../../domain/api.ts";
import { outputRecords, type AlertRecord, type BarRecord, type EnrichedRecord } from "../../domain/records.ts";
import type { PageData } from "./page-api.ts";

const MINUTE = 60_000;
let records = 0;
const recordId = (): string => `market-trades/0/${records++}/0`;

/** A bar of a symbol with these prices, as the processor writes it. `minutes`: length of the window. */
export function bar(symbol: string, start: number, figures: Partial<BarRecord> = {}, minutes: 1 | 5 = 1): BarRecord {
  const end = start + minutes * MINUTE;
  return outputRecords.marketAggregated.parse({
    id: recordId(),
    schema: 1,
    symbol,
    operator: minutes === 1 ? "tumbling-60000" : "sliding-300000-60000",
    window: { start, end },
    revision: 0,
    cause: "watermark",
    count: 4,
    pending: 0,
    cancelled: 0,
    open: null,
    high: null,
    low: null,
    close: null,
    volume: null,
    vwap: null,
    notional: { sum: null, mean: null, min: null, max: null },
    firstTrade: start,
    lastTrade: end - 1,
    ...figures,
  });
}

/** An enriched trade, as the processor writes it. */
export function trade(
  symbol: string,
  tradeId: string,
  timestamp: number,
  rest: Partial<EnrichedRecord>,
): EnrichedRecord {
  return outputRecords.marketEnriched.parse({
    id: recordId(),
    schema: 1,
    symbol,
    trade_id: tradeId,
    timestamp,
    currency: "USD",
    status: "executed",
    amountUsd: null,
    flags: [],
    reference: "v1",
    ...rest,
  });
}

/** An alert about a trade of 2,000,000 USD, as the processor writes it. */
export function alert(
  symbol: string,
  tradeId: string,
  timestamp: number,
  rest: Partial<AlertRecord> = {},
): AlertRecord {
  const { trade_id, currency, status, account, amount } = trade(symbol, tradeId, timestamp, {
    account: "ACC-7",
    amount: 2_000_000,
  });
  return outputRecords.marketAlerts.parse({
    id: recordId(),
    schema: 1,
    symbol,
    alertId: `${symbol}/${tradeId}/large-trade`,
    rule: "large-trade",
    kind: "trade-amount",
    severity: "HIGH",
    status: "raised",
    revision: 0,
    figure: 2_000_000,
    limit: 1_000_000,
    trade: { trade_id, timestamp, currency, status, account, amount, amountUsd: 2_000_000 },
    reference: "v1",
    ...rest,
  });
}

/** The start of the minute in which the page believes to be. */
export const now = Date.UTC(2026, 0, 13, 14, 30);

/** An hour and a half of a price that swings around 150, with a gap, and the same for a symbol at 64,000. */
export function someMarket(): PageData {
  const bars = [...swing("AAPL", 150).filter((_, i) => i < 40 || i > 44), ...swing("BTC-USD", 64_000)];
  return {
    symbols: [
      { symbol: "MSFT", lastSeen: now - 100 * MINUTE, lastClose: null, trades: null },
      { symbol: "BTC-USD", lastSeen: now - MINUTE, lastClose: 64_012.5, trades: 20 },
      { symbol: "TSLA", lastSeen: now + 4_000, lastClose: 250.5, trades: 11 },
      { symbol: "AAPL", lastSeen: now + 2_000, lastClose: 148.95, trades: 20 },
    ],
    bars: [...bars, ...bars.map((one) => ({ ...one, ...fiveMinutes(one) }))],
    alerts: [
      alert("AAPL", "T-2", now - 3 * MINUTE, {
        alertId: "AAPL/T-2/off-price",
        rule: "off-price",
        kind: "price-deviation",
        severity: "MEDIUM",
        figure: 7.25,
        limit: 5,
      }),
      alert("AAPL", "T-1", now - 9 * MINUTE, { status: "withdrawn", revision: 1 }),
      alert("BTC-USD", "T-9", now - 20 * MINUTE, {
        alertId: "BTC-USD/T-9/restricted",
        rule: "restricted",
        kind: "restricted-symbol",
        severity: "CRITICAL",
        figure: null,
        limit: null,
      }),
    ],
    positions: [
      position("AAPL", "ACC-7", 1_200, 180_300),
      position("AAPL", "ACC-12", -340.5, -51_120.75),
      position("BTC-USD", "ACC-7", 0.25, 16_000),
    ],
    sensors: [],
    sessions: [],
    windows: [],
    activity: [],
    features: [],
    deadLetters: [],
  };
}

function swing(symbol: string, middle: number): BarRecord[] {
  return Array.from({ length: 90 }, (_, i) => {
    const at = (shift: number): number =>
      middle * (1 + 0.01 * Math.sin((i + shift) / 9) + 0.002 * Math.sin((i + shift) * 2));
    const [open, close] = [at(0), at(1)];
    const [low, high] = [Math.min(open, close) * 0.999, Math.max(open, close) * 1.0015];
    const volume = 400 + 300 * Math.abs(Math.sin(i / 4));
    return bar(symbol, now - (90 - i) * MINUTE, { open, high, low, close, volume, vwap: (open + close) / 2 });
  });
}

function fiveMinutes({ window: { start, end } }: BarRecord): Partial<BarRecord> {
  return { operator: "sliding-300000-60000", window: { start: end - 5 * MINUTE, end: start + MINUTE } };
}

function position(symbol: string, account: string, quantity: number, notional: number): AccountPosition {
  return { id: recordId(), symbol, account, quantity, notional, trades: 12, revision: 11, timestamp: now - 30_000 };
}
