import type { BarRecord } from "../../../domain/records.ts";
import { topics } from "../../../domain/topics.ts";
import type { LogRecord, Output } from "../log.ts";
import { readTrade, sameContent, type Trade } from "./trade.ts";

const RANK = { pending: 0, executed: 1, cancelled: 2 };
/** What a batch job says of each bar, by partition, symbol, operator and start. */
export type BarCounts = Map<string, object>;

/**
 * The trades of a whole log, each id once, with the highest status that came of it, without any notion of time passing.
 * Only for settings under which nothing is forgotten and nothing is late.
 */
function tradesOf(log: readonly LogRecord[], futureGuardMs: number): Map<string, Trade & { partition: number }> {
  const trades = new Map<string, Trade & { partition: number }>();
  for (const record of log) {
    const trade = record.key === null ? new Set() : readTrade(record);
    if (!("symbol" in trade) || trade.timestamp > record.timestamp + futureGuardMs) continue;
    const name = JSON.stringify([record.partition, trade.symbol, trade.trade_id]);
    const known = trades.get(name);
    if (known === undefined || (sameContent(known, trade) && RANK[trade.status] > RANK[known.status]))
      trades.set(name, { ...trade, partition: record.partition });
  }
  return trades;
}

/** Counts and the figures that no reference data changes, of every bar. */
export function batchBars(log: readonly LogRecord[], futureGuardMs: number): BarCounts {
  const bars = new Map<string, Trade[]>();
  for (const trade of tradesOf(log, futureGuardMs).values()) {
    const minute = Math.floor(trade.timestamp / 60_000);
    const windows = [`tumbling-60000 ${minute}`, ...[0, 1, 2, 3, 4].map((i) => `sliding-300000-60000 ${minute - i}`)];
    for (const window of windows) {
      const name = `${trade.partition}/${trade.symbol} ${window}`;
      bars.set(name, [...(bars.get(name) ?? []), trade]);
    }
  }
  return new Map(
    [...bars].map(([name, trades]) => {
      const having = (status: string): Trade[] => trades.filter((trade) => trade.status === status);
      const executed = having("executed");
      const prices = executed.flatMap(({ price }) => price ?? []);
      const times = executed.map(({ timestamp }) => timestamp);
      return [
        name,
        {
          count: executed.length,
          pending: having("pending").length,
          cancelled: having("cancelled").length,
          high: prices.length === 0 ? null : Math.max(...prices),
          low: prices.length === 0 ? null : Math.min(...prices),
          firstTrade: times.length === 0 ? null : Math.min(...times),
          lastTrade: times.length === 0 ? null : Math.max(...times),
        },
      ];
    }),
  );
}

/** The same by the outputs: the last revision of each bar. */
export function reportedBars(outputs: readonly Output[]): BarCounts {
  const bars: BarCounts = new Map();
  for (const { topic, value } of outputs) {
    if (topic !== topics.marketAggregated.name) continue;
    const { id, symbol, operator, window, count, pending, cancelled, high, low, firstTrade, lastTrade } =
      value as BarRecord;
    const figures = { count, pending, cancelled, high, low, firstTrade, lastTrade };
    bars.set(`${id.split("/")[1]}/${symbol} ${operator} ${window.start / 60_000}`, figures);
  }
  return bars;
}
