/** Positions of the market. */
import { request } from "./client.js";
import { amount, tableCell, time } from "./format.js";

/** @typedef {import("../domain/api.ts").AccountPosition} AccountPosition */

/** Positions that are listed. */
const LISTED = 100;

/** @param {string} id */
const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/** The positions in a symbol, or those of an account where one is asked for. */
export class Positions {
  #restUrl;
  #symbol = "";
  /** What is shown, so that a row keeps its selected text when nothing has changed. */
  #shown = "";

  /** @param {string} restUrl */
  constructor(restUrl) {
    this.#restUrl = restUrl;
    byId("account").addEventListener("input", () => void this.refresh().catch(() => {}));
  }

  get #account() {
    return /** @type {HTMLInputElement} */ (byId("account")).value.trim();
  }

  /** @param {string} symbol */
  choose(symbol) {
    this.#symbol = symbol;
    if (this.#account === "") this.#show([]);
  }

  async refresh() {
    const [symbol, account] = [this.#symbol, this.#account];
    if (symbol === "" && account === "") return;
    const of = account === "" ? `symbol=${encodeURIComponent(symbol)}` : `account=${encodeURIComponent(account)}`;
    const { items } = await request(this.#restUrl, `/positions?${of}&limit=${LISTED}`);
    if (symbol !== this.#symbol || account !== this.#account) return;
    byId("positions-of").textContent = account === "" ? `of ${symbol}` : `of account ${account}`;
    this.#show(items);
  }

  /** @param {AccountPosition[]} positions */
  #show(positions) {
    const shown = JSON.stringify(positions);
    if (shown === this.#shown) return;
    this.#shown = shown;
    byId("positions-empty").hidden = positions.length > 0;
    byId("positions").replaceChildren(...positions.map(positionRow));
  }
}

/** @param {AccountPosition} position */
function positionRow({ symbol, account, quantity, notional, trades, timestamp }) {
  const row = document.createElement("tr");
  row.dataset.position = `${symbol} ${account}`;
  row.append(
    tableCell(account),
    tableCell(symbol),
    tableCell(amount(quantity), "number"),
    tableCell(amount(notional, "USD"), "number"),
    tableCell(amount(trades), "number"),
    tableCell(time(timestamp)),
  );
  return row;
}
