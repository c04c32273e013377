/** Positions of the market. */

import { answer, type Api, type Position } from "./api.ts";
import { byId } from "./dom.ts";
import { amount, tableCell, time } from "./format.ts";

/** Positions that are listed. */
const LISTED = 100;

/** The positions in a symbol, or those of an account where one is asked for. */
export class Positions {
  #api;
  #symbol = "";
  /** What is shown, so that a row keeps its selected text when nothing has changed. */
  #shown = "";

  constructor(api: Api) {
    this.#api = api;
    byId("account").addEventListener("input", () => void this.refresh().catch(() => {}));
  }

  get #account() {
    return (byId("account") as HTMLInputElement).value.trim();
  }

  choose(symbol: string) {
    this.#symbol = symbol;
    if (this.#account === "") this.#show([]);
  }

  async refresh() {
    const [symbol, account] = [this.#symbol, this.#account];
    if (symbol === "" && account === "") return;
    const query = { limit: LISTED, ...(account === "" ? { symbol } : { account }) };
    const { items } = await answer(this.#api.GET("/positions", { params: { query } }));
    if (symbol !== this.#symbol || account !== this.#account) return;
    byId("positions-of").textContent = account === "" ? `of ${symbol}` : `of account ${account}`;
    this.#show(items);
  }

  #show(positions: readonly Position[]) {
    const shown = JSON.stringify(positions);
    if (shown === this.#shown) return;
    this.#shown = shown;
    byId("positions-empty").hidden = positions.length > 0;
    byId("positions").replaceChildren(...positions.map(positionRow));
  }
}

function positionRow({ symbol, account, quantity, notional, trades, timestamp }: Position) {
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
