import type { Cause } from "../../../domain/records.ts";
import type { Semantics } from "../../../domain/semantics.ts";
import { exactSum } from "./exact.ts";
import type { Trade } from "./trade.ts";

const MINUTE = 60_000;

/** A trade whose id is kept. */
export interface Known {
  trade: Trade;
  status: Trade["status"];
  /** When its id was first seen: the offset. */
  readonly seen: number;
  /** The amount in USD at the step in which it became executed. */
  amountUsd: number | null;
}

interface Bar {
  readonly start: number;
  /** What was counted in it, and as what. */
  readonly counted: Map<Known, Trade["status"]>;
  fired: number;
  changed: boolean;
}

/** What decides which windows a trade misses. */
export interface Bounds {
  readonly watermark: number;
  readonly finalUpTo: number;
  readonly letGo: number;
  readonly isTooLate: boolean;
}

/** The windows of one bar operator of a symbol, with all their trades. */
export class Bars {
  readonly operator: string;
  private readonly size: number;
  private readonly settings: Semantics;
  private readonly all: Bar[] = [];
  constructor(size: number, settings: Semantics) {
    this.size = size;
    this.operator = size === MINUTE ? "tumbling-60000" : "sliding-300000-60000";
    this.settings = settings;
  }

  /**
   * Takes a trade at a change of its status, from `before` (undefined for a new one): writes the windows that it
   * misses, then those that fire again.
   */
  apply(
    known: Known,
    before: Trade["status"] | undefined,
    bounds: Bounds,
    late: (fields: object) => void,
    write: (fields: BarFields) => void,
  ): void {
    const { timestamp, received } = known.trade;
    const again: Bar[] = [];
    for (const start of this.starts(timestamp)) {
      const end = start + this.size;
      const isUndone = before === "executed" && known.status === "cancelled";
      if (
        bounds.isTooLate ||
        start <= bounds.finalUpTo ||
        bounds.watermark >= end + this.settings.allowedLatenessMs ||
        (isUndone && start <= bounds.letGo)
      ) {
        late({ operator: this.operator, window: { start, end }, trade: received });
        continue;
      }
      const bar = this.at(start);
      bar.counted.set(known, known.status);
      bar.changed = true;
      if (bounds.watermark >= end) again.push(bar);
    }
    for (const bar of again) this.fire(bar, "late", write);
  }

  /** Starts of all windows that hold an instant. */
  private starts(t: number): number[] {
    const starts: number[] = [];
    const minute = Math.floor(t / MINUTE) * MINUTE;
    for (let start = minute - 10 * MINUTE; start <= minute; start += MINUTE)
      if (start <= t && t < start + this.size) starts.push(start);
    return starts;
  }

  fireDue(watermark: number, cause: Cause, write: (fields: BarFields) => void): void {
    const due = this.all.filter((bar) => bar.changed && watermark >= bar.start + this.size);
    for (const bar of due.sort((a, b) => a.start - b.start)) this.fire(bar, cause, write);
  }

  private fire(bar: Bar, cause: Cause, write: (fields: BarFields) => void): void {
    const { start, fired: revision } = bar;
    const window = { start, end: start + this.size };
    write({ operator: this.operator, window, revision, cause, ...figures(bar) });
    bar.fired += 1;
    bar.changed = false;
  }

  private at(start: number): Bar {
    const known = this.all.find((bar) => bar.start === start);
    if (known !== undefined) return known;
    const bar: Bar = { start, counted: new Map(), fired: 0, changed: false };
    this.all.push(bar);
    return bar;
  }
}

export type BarFields = ReturnType<typeof figures> & {
  readonly operator: string;
  readonly window: { readonly start: number; readonly end: number };
  readonly revision: number;
  readonly cause: Cause;
};

/** The figures of a bar, from all its trades. */
function figures({ counted }: Bar): {
  count: number;
  pending: number;
  cancelled: number;
  close: number | null;
  [name: string]: unknown;
} {
  const having = (status: Trade["status"]): Known[] =>
    [...counted].filter(([, as]) => as === status).map(([known]) => known);
  // By event time, ties by arrival.
  const executed = having("executed").sort((a, b) => a.trade.timestamp - b.trade.timestamp || a.seen - b.seen);
  const priced = executed.filter(({ trade }) => trade.price !== undefined);
  const prices = priced.map(({ trade }) => trade.price!);
  const quantities = executed.flatMap(({ trade }) => trade.quantity ?? []);
  const both = priced.filter(({ trade }) => trade.quantity !== undefined);
  const usd = executed.flatMap(({ amountUsd }) => amountUsd ?? []);
  const sum = usd.length === 0 ? null : exactSum(usd);
  const weight = exactSum(both.map(({ trade }) => trade.quantity!));
  return {
    count: executed.length,
    pending: having("pending").length,
    cancelled: having("cancelled").length,
    open: prices[0] ?? null,
    high: prices.length === 0 ? null : Math.max(...prices),
    low: prices.length === 0 ? null : Math.min(...prices),
    close: prices.at(-1) ?? null,
    volume: quantities.length === 0 ? null : exactSum(quantities),
    vwap: both.length === 0 ? null : exactSum(both.map(({ trade }) => trade.price! * trade.quantity!)) / weight,
    notional: {
      sum,
      mean: sum === null ? null : sum / usd.length,
      min: usd.length === 0 ? null : Math.min(...usd),
      max: usd.length === 0 ? null : Math.max(...usd),
    },
    firstTrade: executed[0]?.trade.timestamp ?? null,
    lastTrade: executed.at(-1)?.trade.timestamp ?? null,
  };
}
