/** Bars as rows of a table: what the chart shows, for those who can't see it. */
import { amount, price, tableCell, time } from "./format.js";

/** @param {HTMLElement} body @param {import("./bars.js").Candle[]} candles Newest first. */
export function showBars(body, candles) {
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

/** @param {{ start: number; end: number }} window */
export function interval({ start, end }) {
  return `${time(start)} – ${new Date(end).toLocaleTimeString()}`;
}
