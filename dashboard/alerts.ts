/** Alerts of the market, newest first. */

import { type Alert, answer, type Api } from "./api.ts";
import { byId } from "./dom.ts";
import { amount, NOTHING, tableCell, time } from "./format.ts";

/** Alerts that are listed: the newest. */
const LISTED = 50;
/** What the figure and the limit of a kind of rule count. */
const UNITS: Readonly<Record<string, string>> = {
  "trade-amount": "USD",
  "price-deviation": "%",
  "account-rate": "trades/min",
  "position-untracked": "positions",
};

function alertRow({ alertId, symbol, rule, kind, severity, status, figure, limit, trade, reference }: Alert) {
  const row = document.createElement("tr");
  row.dataset.alert = alertId;
  row.className = status;
  if (reference !== null) row.title = `reference data ${reference}`;
  const mark = document.createElement("span");
  mark.className = `severity ${severity.toLowerCase()}`;
  mark.textContent = severity;
  const unit = UNITS[kind] ?? "";
  row.append(
    tableCell(time(trade.timestamp)),
    tableCell(mark),
    tableCell(symbol),
    tableCell(struck(rule, status)),
    tableCell(amount(figure, unit), "number"),
    tableCell(amount(limit, unit), "number"),
    tableCell(trade.trade_id),
    tableCell(trade.account ?? NOTHING),
    tableCell(status),
  );
  return row;
}

function struck(text: string, status: Alert["status"]) {
  if (status === "raised") return text;
  const element = document.createElement("s");
  element.textContent = text;
  return element;
}

/** The alerts of a symbol or of all, from the API and from the live feed. */
export class Alerts {
  #api;
  #symbol = "";
  /** The later revision of each, by alert id. */
  #alerts: Map<string, Alert> = new Map();
  /** What is shown, so that a row keeps its selected text when nothing has changed. */
  #shown = "";

  constructor(api: Api) {
    this.#api = api;
    byId("all-alerts").addEventListener("change", () => {
      this.choose(this.#symbol);
      void this.refresh().catch(() => {});
    });
  }

  get #ofAll() {
    return (byId("all-alerts") as HTMLInputElement).checked;
  }

  choose(symbol: string) {
    this.#symbol = symbol;
    this.#alerts = new Map();
    this.#show();
  }

  add(alert: Alert) {
    this.#take(alert);
    this.#show();
  }

  async refresh() {
    const alerts = this.#alerts;
    if (this.#symbol === "" && !this.#ofAll) return;
    const query = { limit: LISTED, ...(this.#ofAll ? {} : { symbol: this.#symbol }) };
    const { items } = await answer(this.#api.GET("/alerts", { params: { query } }));
    // Another choice has another map.
    if (alerts !== this.#alerts) return;
    for (const alert of items) this.#take(alert);
    this.#show();
  }

  #take(alert: Alert) {
    const known = this.#alerts.get(alert.alertId);
    if (!known || known.revision <= alert.revision) this.#alerts.set(alert.alertId, alert);
  }

  #show() {
    const newest = [...this.#alerts.values()].sort((a, b) => b.trade.timestamp - a.trade.timestamp);
    for (const { alertId } of newest.splice(LISTED)) this.#alerts.delete(alertId);
    const shown = JSON.stringify(newest);
    if (shown === this.#shown) return;
    this.#shown = shown;
    byId("alerts-empty").hidden = newest.length > 0;
    byId("alerts").replaceChildren(...newest.map(alertRow));
  }
}
