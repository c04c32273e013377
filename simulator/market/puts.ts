import type { EpochMs, Milliseconds } from "../../domain/time.ts";
import { Heap } from "../heap.ts";
import type { Random } from "../synthetic/random.ts";
import { syntheticTrades, tradeDetail, type SyntheticMarket } from "../synthetic/trades.ts";
import { putsOf, type MarketFaults, type PlannedPut, type PlannedTrade } from "./faults.ts";

/**
 * Synthetic trades as they are due.
 *
 * @param startedAt Event time of the beginning
 * @param lengthMs Time after which there are no further ones. @default none
 */
export function* plannedTrades(
  market: SyntheticMarket,
  run: string,
  startedAt: EpochMs,
  lengthMs: Milliseconds = Infinity,
): Generator<PlannedTrade> {
  for (const trade of syntheticTrades(market)) {
    if (trade.atMs >= lengthMs) return;
    const time = Math.round(startedAt + trade.atMs);
    const status = trade.pendingMs > 0 ? "pending" : "executed";
    const detail = { ...tradeDetail(trade, run, time, status) };
    yield { dueMs: trade.atMs, time, detail, pendingMs: trade.pendingMs };
  }
}

/** The events of trades in the order in which they are due. It holds one trade that is not due, and what is delayed. */
export async function* putsInOrder(
  trades: Iterable<PlannedTrade> | AsyncIterable<PlannedTrade>,
  faults: MarketFaults,
  random: Random,
): AsyncGenerator<PlannedPut> {
  const delayed = new Heap<PlannedPut>();
  for await (const trade of trades) {
    for (let put = delayed.pop(); put; put = delayed.pop()) {
      if (put.dueMs > trade.dueMs) {
        delayed.push(put.dueMs, put);
        break;
      }
      yield put;
    }
    for (const put of putsOf(trade, faults, random)) delayed.push(put.dueMs, put);
  }
  for (let put = delayed.pop(); put; put = delayed.pop()) yield put;
}
