import { z } from "zod";
import { windowOperatorName } from "./imu.ts";
import { MINUTE } from "./time.ts";

/** A traded instrument, and the key of its trades. */
export const SYMBOL = /^[A-Z0-9.:_-]{1,32}$/;
/** Names a trade within its symbol. */
export const TRADE_ID = /^[A-Za-z0-9:_.-]{1,64}$/;
/** ISO 4217. */
export const CURRENCY = /^[A-Z]{3}$/;

export const tradeSides = ["buy", "sell"] as const;
export type TradeSide = (typeof tradeSides)[number];

/** In the order in which a trade may go through them. */
export const tradeStatuses = ["pending", "executed", "cancelled"] as const;
export type TradeStatus = (typeof tradeStatuses)[number];

export const tradeLimits = {
  /** Bytes of a trade's JSON: EventBridge's limit of an event. */
  payloadBytes: 256 * 1_024,
  /** Characters (Unicode code points) of `account`. */
  accountLength: 64,
  /** Prices, quantities and amounts, at most: no sum or product of them overflows. */
  figure: 1e100,
  /** How far price × quantity may be from the amount, relative to it. */
  agreement: 1e-6,
} as const;

/** The windows of bars. */
export const barWindows = [
  { windowMs: MINUTE, slideMs: MINUTE },
  { windowMs: 5 * MINUTE, slideMs: MINUTE },
] as const;

/** Names of the operators that make bars: `tumbling-60000` and `sliding-300000-60000`. */
export const barOperators: readonly string[] = barWindows.map(({ windowMs, slideMs }) =>
  windowOperatorName(windowMs, slideMs),
);

/** The detail type of a trade on the event bus. */
export const TRADE_DETAIL_TYPE = "Trade";

/** The event bus of an environment's trades. */
export function eventBusName(env: string): string {
  return `millrace-${env}-market`;
}

/** The rule of the alert for accounts whose position is not kept. */
export const POSITION_UNTRACKED = "position-untracked";

export const severities = ["LOW", "MEDIUM", "HIGH", "CRITICAL"] as const;

/** Names of what a trade may have, in the order of the contract. */
export const tradeFieldNames = [
  "trade_id",
  "timestamp",
  "symbol",
  "price",
  "quantity",
  "amount",
  "currency",
  "side",
  "account",
  "status",
] as const;

/** A trade as outputs have it: what was sent, by the names of the contract, and what could be derived. */
export const trade = z.object({
  trade_id: z.string().regex(TRADE_ID),
  /** Event time, epoch ms. */
  timestamp: z.number(),
  price: z.number().optional(),
  quantity: z.number().optional(),
  amount: z.number().optional(),
  currency: z.string().regex(CURRENCY),
  side: z.enum(tradeSides).optional(),
  account: z.string().optional(),
  status: z.enum(tradeStatuses),
});
export type Trade = z.infer<typeof trade>;
