import type { TradeStatus } from "../../domain/market.ts";
import { SECOND, type Milliseconds } from "../../domain/time.ts";
import type { Random } from "../synthetic/random.ts";

/** Probability per trade, from 0 to 1, of each fault. */
export interface MarketFaults {
  /** The trade is put a second time, at once or up to 2 s later. */
  readonly duplicate: number;
  /** The trade is put 1 to 20 s late. */
  readonly late: number;
  /** A corrupt copy, under an id of its own, is put in addition. It has to be dead-lettered. */
  readonly corrupt: number;
  /** The trade is cancelled 1 to 5 s after it was executed. */
  readonly cancelled: number;
  /** Another trade under the same id is put in addition. It has to be dead-lettered. */
  readonly conflict: number;
}

export const noMarketFaults: MarketFaults = { duplicate: 0, late: 0, corrupt: 0, cancelled: 0, conflict: 0 };

/** Why an event is put. `trade` and `late` are the first of their trade, `executed` ends a pending one. */
export const putKinds = ["trade", "late", "executed", "duplicate", "corrupt", "cancelled", "conflict"] as const;
export type PutKind = (typeof putKinds)[number];

/** A trade's fields, as they are put. */
export type Detail = Readonly<Record<string, unknown>>;

/** A trade that is due, before faults. */
export interface PlannedTrade {
  readonly dueMs: Milliseconds;
  /** Event time; undefined where the trade has none. */
  readonly time: number | undefined;
  readonly detail: Detail;
  /** How long it is pending; 0 for a trade that has its last status. */
  readonly pendingMs: Milliseconds;
}

/** An event that is to be put. */
export interface PlannedPut {
  readonly dueMs: Milliseconds;
  readonly kind: PutKind;
  readonly time: number | undefined;
  readonly detail: Detail;
}

const MAX_REPEAT_DELAY_MS = 2 * SECOND;
const MIN_LATE_MS = 1 * SECOND;
const MAX_LATE_MS = 20 * SECOND;
const MIN_CANCEL_MS = 1 * SECOND;
const MAX_CANCEL_MS = 5 * SECOND;

/** What makes a trade invalid, whatever else it has. */
const corruptions: readonly Detail[] = [
  { price: -1 },
  { currency: "dollars" },
  { side: "hold" },
  { status: "settled" },
];

/**
 * The events of a trade. It always draws the same number of random numbers, so that one trade's faults do not change
 * the faults of the next ones.
 */
export function putsOf(trade: PlannedTrade, faults: MarketFaults, random: Random): PlannedPut[] {
  const late = random();
  const lateBy = random();
  const duplicate = random();
  const repeatAfter = random();
  const corrupt = random();
  const corruption = random();
  const cancelled = random();
  const cancelAfter = random();
  const conflict = random();
  const { time, detail, pendingMs } = trade;
  const isLate = late < faults.late;
  const dueMs = isLate ? trade.dueMs + between(MIN_LATE_MS, MAX_LATE_MS, lateBy) : trade.dueMs;
  const at = (kind: PutKind, afterMs: Milliseconds, change: Detail = {}): PlannedPut => ({
    dueMs: dueMs + afterMs,
    kind,
    time,
    detail: { ...detail, ...change },
  });
  const status = (value: TradeStatus): Detail => ({ status: value });
  const puts = [at(isLate ? "late" : "trade", 0)];
  if (pendingMs > 0) puts.push(at("executed", pendingMs, status("executed")));
  if (duplicate < faults.duplicate)
    puts.push(at("duplicate", repeatAfter < 0.5 ? 0 : (2 * repeatAfter - 1) * MAX_REPEAT_DELAY_MS));
  if (corrupt < faults.corrupt)
    puts.push(
      at("corrupt", 0, {
        ...corruptions[Math.floor(corruption * corruptions.length)],
        ...(typeof detail["trade_id"] === "string" ? { trade_id: `${detail["trade_id"]}-x` } : {}),
      }),
    );
  if (cancelled < faults.cancelled)
    puts.push(at("cancelled", pendingMs + between(MIN_CANCEL_MS, MAX_CANCEL_MS, cancelAfter), status("cancelled")));
  if (conflict < faults.conflict) puts.push(at("conflict", MAX_REPEAT_DELAY_MS, { account: "ACC-conflict" }));
  return puts;
}

function between(min: number, max: number, share: number): number {
  return min + share * (max - min);
}
