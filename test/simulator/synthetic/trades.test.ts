import { describe, expect, test } from "@jest/globals";
import { SYMBOL, TRADE_ID } from "../../../domain/market.ts";
import {
  syntheticTrades,
  tradeDetail,
  type SyntheticMarket,
  type SyntheticTrade,
} from "../../../simulator/synthetic/trades.ts";

const market: SyntheticMarket = { symbols: 25, rate: 100, seed: 7 };
function take(count: number, options: Partial<SyntheticMarket> = {}): SyntheticTrade[] {
  const trades = syntheticTrades({ ...market, ...options });
  return Array.from({ length: count }, () => trades.next().value);
}

describe("a synthetic market", () => {
  test("is the same for the same seed, and another for another", () => {
    expect(take(1_000)).toEqual(take(1_000));
    expect(take(10, { seed: 8 })).not.toEqual(take(10));
  });

  test("has the rate and the symbols that were asked for", () => {
    const trades = take(20_000);
    const times = trades.map(({ atMs }) => atMs);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    // 20,000 at 100 a second take 200 s, with a standard deviation of 200 s / √20,000 = 1.4 s.
    expect(Math.abs(times.at(-1)! - 200_000)).toBeLessThan(6 * 1_414);
    const symbols = [...new Set(trades.map(({ symbol }) => symbol))];
    expect(symbols).toHaveLength(25);
    expect(symbols.every((symbol) => SYMBOL.test(symbol))).toBe(true);
  });

  test("has prices that walk in small steps, and stay near their first one", () => {
    const bySymbol = Map.groupBy(take(100_000), ({ symbol }) => symbol);
    for (const trades of bySymbol.values()) {
      const prices = trades.map(({ price }) => price);
      const steps = prices.slice(1).map((price, i) => Math.abs(price / prices[i]! - 1));
      // Steps have a standard deviation of 0.05 %; a price of 27 adds half a cent on either side: 0.02 %.
      expect(Math.max(...steps)).toBeLessThan(0.004);
      expect(new Set(prices).size).toBeGreaterThan(10);
      // The walk's standard deviation is 0.0005 / √(2 × 0.001) = 1.1 %.
      expect(Math.max(...prices) / Math.min(...prices)).toBeLessThan(1.2);
    }
  });

  test("has both sides, several accounts, and some trades that are pending first", () => {
    const trades = take(10_000);
    const pending = trades.filter(({ pendingMs }) => pendingMs > 0);
    expect(Math.abs(pending.length - 500)).toBeLessThan(6 * 22);
    expect(pending.every(({ pendingMs }) => pendingMs >= 1_000 && pendingMs <= 5_000)).toBe(true);
    expect(new Set(trades.map(({ account }) => account)).size).toBe(20);
    expect(new Set(trades.map(({ side }) => side))).toEqual(new Set(["buy", "sell"]));
  });
});

test("a trade is put with the contract's fields, and its amount is price × quantity", () => {
  const [trade] = take(1);
  const detail = tradeDetail(
    { ...trade!, symbol: "AAPL", price: 150.25, quantity: 40 },
    "r1",
    1_768_314_645_123,
    "pending",
  );
  expect(detail).toMatchObject({
    trade_id: "SIM-r1-0",
    timestamp: "2026-01-13T14:30:45.123Z",
    symbol: "AAPL",
    amount: 6_010,
    status: "pending",
  });
  expect(TRADE_ID.test(detail.trade_id)).toBe(true);
});
