/** Bars as rows of a table: what the chart shows, for those who can't see it. */

import type { Candle } from "./bars.ts";
import { amount, price, tableCell, time } from "./format.ts";

/** @param candles Newest first. */
export function showBars(body: HTMLElement, candles: Candle[]) {
  body.replaceChildren(
    ...candles.map(({ window, open, high, low, close, volume, vwap, count, pending, cancelled, revision, final }) => {
      const row = document.createElement("tr");
      row.dataset.bar = String(window.start);
      row.append(
        tableCell(interval(window)),
        ...[open, high, low, close].map((value) => tableCell(price(value), "number")),
        tableCell(amount(volume), "number"),
        tableCell(price(vwap), "number"),
        ...[count, pending, cancelled].map((value) => tableCell(amount(value), "number")),
        tableCell(final ? (revision > 0 ? `revision ${revision}` : "final") : "forming"),
      );
      return row;
    }),
  );
}

export function interval({ start, end }: { start: number; end: number }) {
  return `${time(start)} – ${new Date(end).toLocaleTimeString()}`;
}
