import type { PlannedPut, PutKind } from "./faults.ts";

/** Counts by kind; a kind that did not occur is absent. */
export type KindCounts = { [K in PutKind]?: number };

/** Counts what the event bus has acknowledged, so that a test can account for every trade. */
export class MarketReport {
  readonly totals: KindCounts = {};
  /** By the symbol that was put. */
  readonly symbols = new Map<string, KindCounts>();

  count({ kind, detail }: PlannedPut): void {
    const symbol = typeof detail["symbol"] === "string" ? detail["symbol"] : "";
    const counts = this.symbols.get(symbol) ?? {};
    counts[kind] = (counts[kind] ?? 0) + 1;
    this.symbols.set(symbol, counts);
    this.totals[kind] = (this.totals[kind] ?? 0) + 1;
  }
}
