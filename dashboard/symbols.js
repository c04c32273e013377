/** The symbols of the market. */
import { Choices } from "./choices.js";
import { request } from "./client.js";
import { price, time, trades as countOf } from "./format.js";

/** @typedef {import("../domain/api.ts").MarketSymbol} MarketSymbol */

const MINUTE = 60_000;

/** @param {string} id */
const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/** The list of the symbols with its search box. */
export class Symbols {
  #restUrl;
  #choices;
  /** The most recently traded first. @type {MarketSymbol[]} */
  #symbols = [];
  #chosen = "";

  /** @param {string} restUrl @param {(symbol: string) => void} onChoose */
  constructor(restUrl, onChoose) {
    this.#restUrl = restUrl;
    this.#choices = new Choices(byId("symbols"), onChoose);
    byId("symbol-filter").addEventListener("input", () => this.#show());
    byId("symbol-filter").addEventListener("keydown", ({ key }) => {
      const symbol = this.#found[0]?.symbol ?? this.#wanted;
      if (key === "Enter" && symbol !== "") onChoose(symbol);
    });
  }

  get mostRecent() {
    return this.#symbols[0]?.symbol;
  }

  /** @param {string} symbol */
  choose(symbol) {
    this.#chosen = symbol;
    this.#show();
  }

  async refresh() {
    /** @type {MarketSymbol[]} */
    const symbols = (await request(this.#restUrl, "/symbols?limit=1000")).items;
    this.#symbols = symbols.sort(
      (a, b) =>
        // By the minute, so that the order holds for a while.
        Math.floor(b.lastSeen / MINUTE) - Math.floor(a.lastSeen / MINUTE) ||
        (b.trades ?? 0) - (a.trades ?? 0) ||
        a.symbol.localeCompare(b.symbol),
    );
    this.#show();
  }

  get #wanted() {
    return /** @type {HTMLInputElement} */ (byId("symbol-filter")).value.trim().toUpperCase();
  }

  get #found() {
    const wanted = this.#wanted;
    return this.#symbols.filter(({ symbol }) => symbol.includes(wanted));
  }

  #show() {
    byId("symbol-count").textContent = String(this.#symbols.length);
    this.#choices.show(
      this.#found.map(({ symbol, lastSeen, lastClose, trades }) => ({
        name: symbol,
        note: lastClose === null ? "" : price(lastClose),
        title: `last seen ${time(lastSeen)}, ${countOf(trades)} in the newest bar of five minutes`,
        chosen: symbol === this.#chosen,
      })),
    );
  }
}
