/** The symbols of the market. */

import { answer, type Api, type MarketSymbol } from "./api.ts";
import { Choices } from "./choices.ts";
import { byId } from "./dom.ts";
import { price, time, trades as countOf } from "./format.ts";

const MINUTE = 60_000;

/** The list of the symbols with its search box. */
export class Symbols {
  #api;
  #choices;
  /** The most recently traded first. */
  #symbols: MarketSymbol[] = [];
  #chosen = "";

  constructor(api: Api, onChoose: (symbol: string) => void) {
    this.#api = api;
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

  choose(symbol: string) {
    this.#chosen = symbol;
    this.#show();
  }

  async refresh() {
    const { items } = await answer(this.#api.GET("/symbols", { params: { query: { limit: 1_000 } } }));
    this.#symbols = items.toSorted(
      (a, b) =>
        // By the minute, so that the order holds for a while.
        Math.floor(b.lastSeen / MINUTE) - Math.floor(a.lastSeen / MINUTE) ||
        (b.trades ?? 0) - (a.trades ?? 0) ||
        a.symbol.localeCompare(b.symbol),
    );
    this.#show();
  }

  get #wanted() {
    return (byId("symbol-filter") as HTMLInputElement).value.trim().toUpperCase();
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
