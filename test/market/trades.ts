import { SECOND } from "../../domain/time.ts";

/** A trade as somebody sends it: nothing is promised of its fields. */
export type SentTrade = Readonly<Record<string, unknown>>;

export const SYMBOLS = ["AAPL", "MSFT", "NVDA", "AMZN", "TSLA", "SAP", "ASML", "SIE", "BRK.B", "BTC-USD", "GLD", "OIL"];
/** Begins the id of the last trade of each symbol: it moves the watermark behind all others. */
export const CLOSING = "CLOSE";

/**
 * Trades of an hour, in the order in which they are sent, the same for each seed: 5 % come twice, 5 % late by up to 20
 * minutes, 1 % break the contract, 1 % use an id again; some are pending first, some are cancelled.
 *
 * @param startMs The hour's begin, epoch ms; so far back that no trade is from the future.
 */
export function manyTrades(count: number, startMs: number, seed = 1): SentTrade[] {
  let state = seed;
  /** From 0 to below 1; the generator of Park and Miller. */
  const random = (): number => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)]!;
  const sent: { readonly at: number; readonly trade: SentTrade }[] = [];
  const spanMs = 3_600 * SECOND;
  for (let i = 0; i < count; i++) {
    const timestamp = startMs + Math.floor((i / count) * spanMs);
    // Most arrive within the out-of-orderness bound.
    const lag = random() < 0.05 ? random() * 1_200 * SECOND : random() * 400;
    const at = timestamp - startMs + lag;
    const trade = tradeOf(`T-${i}`, timestamp, random, pick);
    const kind = random();
    if (kind < 0.01) sent.push({ at, trade: { ...trade, ...corrupt[i % corrupt.length] } });
    else if (kind < 0.08) sent.push({ at, trade: { ...trade, status: "pending" } }, { at: at + 30 * SECOND, trade });
    else sent.push({ at, trade });
    if (kind >= 0.01 && random() < 0.03)
      sent.push({ at: at + random() * 400 * SECOND, trade: { ...trade, status: "cancelled" } });
    if (random() < 0.05) sent.push({ at: at + random() * 60 * SECOND, trade });
    if (kind >= 0.01 && random() < 0.01) sent.push({ at: at + 1_000, trade: { ...trade, price: 1.25 } });
  }
  const closing = SYMBOLS.map((symbol) => ({
    trade_id: `${CLOSING}-${symbol}`,
    timestamp: startMs + spanMs + 1_200 * SECOND,
    symbol,
    price: 1,
  }));
  return [...sent.sort((a, b) => a.at - b.at).map(({ trade }) => trade), ...closing];
}

function tradeOf(id: string, timestamp: number, random: () => number, pick: <T>(from: readonly T[]) => T): SentTrade {
  const price = Math.round(1_000 + random() * 30_000) / 100;
  const quantity = Math.ceil(random() * 100);
  const figures = pick([
    { price, quantity },
    { price, quantity },
    { price, quantity, amount: price * quantity },
    { price, amount: Math.round(price * quantity * 100) / 100 },
    { price },
  ]);
  const isText = random() < 0.5;
  return {
    trade_id: id,
    timestamp: isText ? new Date(timestamp).toISOString() : timestamp,
    [random() < 0.1 ? "ticker" : "symbol"]: pick(SYMBOLS),
    ...figures,
    ...pick([{}, {}, { currency: "USD" }, { currency: "EUR" }]),
    ...pick([{}, { side: "buy" }, { side: "sell" }]),
    ...pick([{}, { account: `ACC-${Math.floor(random() * 50)}` }]),
  };
}

/** Fields that break the contract. */
const corrupt: readonly SentTrade[] = [
  { price: -1 },
  { side: "hold" },
  { timestamp: "yesterday" },
  { quantity: "many" },
  { symbol: "a/b", ticker: undefined },
];
