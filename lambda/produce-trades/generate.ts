import { z } from "zod";
import { MINUTE, type EpochMs } from "../../domain/time.ts";
import { syntheticTrades, tradeDetail, type TradeDetail } from "../../simulator/synthetic/trades.ts";

/** Trades of one invocation, at most. */
const MAX_TRADES = 60_000;

const generate = z
  .strictObject({
    symbols: z.int().min(1).max(1_000).default(20),
    /** Trades a second, of all symbols together. */
    rate: z
      .number()
      .min(0.01)
      .max(MAX_TRADES / 60)
      .default(5),
    seed: z.int().min(0).default(1),
  })
  .prefault({});

/** A schedule's event: EventBridge's own, or a payload that says what to generate. */
const scheduled = z.object({
  generate,
  /** RFC 3339: a second delivery of one event gives the same trades. @default now */
  time: z.iso.datetime({ offset: true }).optional(),
});

/** Detail type of the events that EventBridge makes by schedule. */
const SCHEDULED_DETAIL_TYPE = "Scheduled Event";

/** Whether an event asks for generated trades. */
export function asksToGenerate(event: unknown): boolean {
  const { generate: asked, "detail-type": type } = (event ?? {}) as Record<string, unknown>;
  return asked !== undefined || type === SCHEDULED_DETAIL_TYPE;
}

/**
 * The trades of the minute before the event, at random walks that begin at the same prices each minute. The same event
 * gives the same trades.
 *
 * @throws ZodError when the event asks for more than may be, or for something else
 */
export function generatedTrades(event: unknown, nowMs: EpochMs): TradeDetail[] {
  const { generate: market, time } = scheduled.parse(event);
  const end = Math.floor((time === undefined ? nowMs : Date.parse(time)) / MINUTE) * MINUTE;
  const start = end - MINUTE;
  // Part of the seed: otherwise every minute would have the same trades.
  const run = `${market.seed}-${(end / MINUTE).toString(36)}`;
  const trades: TradeDetail[] = [];
  for (const trade of syntheticTrades({ ...market, seed: run })) {
    if (trade.atMs >= MINUTE || trades.length >= MAX_TRADES) break;
    trades.push(tradeDetail(trade, run, start + trade.atMs, "executed"));
  }
  return trades;
}
