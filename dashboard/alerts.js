/** Alerts of the market, newest first. */
import { request } from "./client.js";
import { amount, NOTHING, tableCell, time } from "./format.js";

/** @typedef {import("../domain/records.ts").AlertRecord} AlertRecord */

/** Alerts that are listed: the newest. */
const LISTED = 50;
/** What the figure and the limit of a kind of rule count. @type {Readonly<Record<string, string>>} */
const UNITS = {
  "trade-amount": "USD",
  "price-deviation": "%",
  "account-rate": "trades/min",
  "position-untracked": "positions",
};

/** @param {AlertRecord} alert */
function alertRow({ alertId, symbol, rule, kind, severity, status, figure, limit, trade, reference }) {
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

/** @param {string} text @param {AlertRecord["status"]} status */
function struck(text, status) {
  if (status === "raised") return text;
  const element = document.createElement("s");
  element.textContent = text;
  return element;
}

/** @param {string} id */
const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/** The alerts of a symbol or of all, from the API and from the live feed. */
export class Alerts {
  #restUrl;
  #symbol = "";
  /** The later revision of each, by alert id. @type {Map<string, AlertRecord>} */
  #alerts = new Map();
  /** What is shown, so that a row keeps its selected text when nothing has changed. */
  #shown = "";

  /** @param {string} restUrl */
  constructor(restUrl) {
    this.#restUrl = restUrl;
    byId("all-alerts").addEventListener("change", () => {
      this.choose(this.#symbol);
      void this.refresh().catch(() => {});
    });
  }

  get #ofAll() {
    return /** @type {HTMLInputElement} */ (byId("all-alerts")).checked;
  }

  /** @param {string} symbol */
  choose(symbol) {
    this.#symbol = symbol;
    this.#alerts = new Map();
    this.#show();
  }

  /** @param {AlertRecord} alert */
  add(alert) {
    this.#take(alert);
    this.#show();
  }

  async refresh() {
    const alerts = this.#alerts;
    if (this.#symbol === "" && !this.#ofAll) return;
    const query = this.#ofAll ? "" : `&symbol=${encodeURIComponent(this.#symbol)}`;
    const { items } = await request(this.#restUrl, `/alerts?limit=${LISTED}${query}`);
    // Another choice has another map.
    if (alerts !== this.#alerts) return;
    for (const alert of items) this.#take(alert);
    this.#show();
  }

  /** @param {AlertRecord} alert */
  #take(alert) {
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
