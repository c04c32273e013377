/** The view of the market: symbols, the candles of one of them, alerts and positions. */

import { isOfSensor, type LiveMessage } from "../domain/live-messages.ts";
import { Alerts } from "./alerts.ts";
import { type Alert, answer, type Api, apiAt, type BarOperator } from "./api.ts";
import { interval, showBars } from "./bar-table.ts";
import { Bars, SLIDING, TUMBLING, type Candle } from "./bars.ts";
import { Candles } from "./candles.ts";
import { type Config, type Live, RequestError } from "./client.ts";
import { byId } from "./dom.ts";
import { amount, price, showFigures, time, trades } from "./format.ts";
import { Positions } from "./positions.ts";
import { Symbols } from "./symbols.ts";
import type { Counted, View } from "./view.ts";

/** Bars of an operator that are loaded at once. */
const PAGE = 300;
/** Bars of an operator that each refresh reads. */
const NEWEST = 5;
/** Bars in the table. */
const LISTED_BARS = 20;
/** Time between two drawings of the chart. */
const DRAW_MS = 250;
const SYMBOL = /^[A-Z0-9.:_-]{1,32}$/;

/** The address of the view of a symbol. */
function address(symbol: string, operator: string) {
  const query = operator === TUMBLING ? "" : `?operator=${operator}`;
  return `#/market/${encodeURIComponent(symbol)}${query}`;
}

export class MarketView implements View {
  readonly component = "market-processor";
  readonly source = "api";
  #api: Api;
  #live;
  #symbols;
  #symbol = "";
  #operator = TUMBLING;
  #bars = new Bars();
  /** Where the bars before those that are there begin, per operator. */
  #older: Map<string, string | null> = new Map();

  #chart: Candles | null = null;
  /** Whether the chart's candles have changed since they were drawn; `first` where they are others altogether. */
  #changed = { any: false, first: true };

  #candles: Candle[] = [];
  #drawnAt = 0;
  /** Time of the candle under the pointer. */
  #hovered: number | null = null;
  /** Trades that the live feed has left out since the newest bar. */
  #skipped = 0;
  /** Currencies of the symbol's trades that this page has seen. */
  #currencies: Set<string> = new Set();
  #alerts;
  #positions;
  #visible = false;

  constructor(config: Config, live: Live) {
    this.#api = apiAt(config.restUrl);
    this.#live = live;
    this.#symbols = new Symbols(this.#api, (symbol) => {
      location.hash = address(symbol, this.#operator);
    });
    this.#alerts = new Alerts(this.#api);
    this.#positions = new Positions(this.#api);
    for (const radio of document.getElementsByName("operator"))
      radio.addEventListener("change", () => {
        location.hash = address(this.#symbol, (radio as HTMLInputElement).value);
      });
  }

  /**
   * Shows the symbol and operator of an address.
   *
   * @param symbol May be empty: the most active one is shown then.
   */
  show(symbol: string, query: URLSearchParams): void {
    const operator = query.get("operator");
    const first = !this.#visible;
    this.#visible = true;
    this.#operator = operator === SLIDING ? SLIDING : TUMBLING;
    for (const radio of document.getElementsByName("operator"))
      (radio as HTMLInputElement).checked = (radio as HTMLInputElement).value === this.#operator;
    this.#changed = { any: true, first: true };
    if (symbol !== "" && !SYMBOL.test(symbol)) return notice(`${symbol} is no symbol: A-Z 0-9 . : _ - are expected.`);
    if (symbol !== "" && symbol !== this.#symbol) this.#choose(symbol);
    else if (first && this.#symbol !== "") {
      this.#live.subscribe({ symbol: this.#symbol }, true);
      void this.reload();
    }
    if (symbol === "" && this.#symbol !== "") history.replaceState(null, "", address(this.#symbol, this.#operator));
    document.title = `${this.#symbol || "Market"} · Millrace`;
    if (!this.#chart) this.#makeChart();
  }

  hide() {
    this.#visible = false;
    if (this.#symbol !== "") this.#live.subscribe({ symbol: this.#symbol }, false);
  }

  #choose(symbol: string) {
    if (this.#symbol !== "") this.#live.subscribe({ symbol: this.#symbol }, false);
    this.#symbol = symbol;
    this.#bars = new Bars();
    this.#older = new Map();
    this.#skipped = 0;
    this.#currencies.clear();
    this.#alerts.choose(symbol);
    this.#positions.choose(symbol);
    this.#changed = { any: true, first: true };
    byId("symbol").textContent = symbol;
    document.title = `${symbol} · Millrace`;
    notice("");
    this.#symbols.choose(symbol);
    this.#live.subscribe({ symbol }, true);
    void this.reload();
    void this.refresh().catch(() => {});
  }

  #makeChart() {
    this.#chart = new Candles(byId("candles"), {
      onHover: (at) => {
        this.#hovered = at;
        this.#showFigures();
      },
      onBeginning: () => void this.#loadOlder(),
    });
    this.#changed = { any: true, first: true };
  }

  /** Fills the newest bars from the API: after a choice, and after a time without the live feed. */
  async reload() {
    const [symbol, bars] = [this.#symbol, this.#bars];
    if (symbol === "") return;
    const first = this.#older.size === 0;
    try {
      const older = await Promise.all([TUMBLING, SLIDING].map((operator) => this.#load(bars, symbol, operator)));
      if (bars !== this.#bars) return;
      notice("");
      if (first) this.#older = new Map([TUMBLING, SLIDING].map((operator, i) => [operator, older[i] ?? null]));
    } catch (error) {
      if (bars !== this.#bars) return;
      if (error instanceof RequestError && error.status === 404) notice(`There is no bar of ${symbol} yet.`);
      else notice(`The bars of ${symbol} can't be read: ${error instanceof Error ? error.message : String(error)}`);
    }
    this.#changed = { any: true, first: this.#changed.first || first };
  }

  /** Loads the bars before those that are there: the chart shows its beginning. */
  async #loadOlder() {
    const [bars, operator] = [this.#bars, this.#operator];
    const cursor = this.#older.get(operator);
    if (!cursor) return;
    this.#older.set(operator, null);
    try {
      const next = await this.#load(bars, this.#symbol, operator, { cursor });
      if (bars === this.#bars) this.#older.set(operator, next);
    } catch {
      if (bars === this.#bars) this.#older.set(operator, cursor);
    }
    this.#changed.any = true;
  }

  /** @returns The cursor of the bars before them. */
  async #load(
    bars: Bars,
    symbol: string,
    operator: string,
    { limit = PAGE, cursor }: { limit?: number; cursor?: string } = {},
  ): Promise<string | null> {
    const query = { operator: operator as BarOperator, limit, ...(cursor && { cursor }) };
    const params = { path: { symbol }, query };
    const { items, next } = await answer(this.#api.GET("/symbols/{symbol}/bars", { params }));
    for (const bar of items) bars.add(bar);
    return next;
  }

  async refresh() {
    await Promise.all([this.#refreshSymbols(), this.#refreshBars(), this.#alerts.refresh(), this.#positions.refresh()]);
  }

  /** Reads the newest bars, should the live feed have lost one; all of them where none have been read yet. */
  async #refreshBars() {
    const [symbol, bars] = [this.#symbol, this.#bars];
    if (this.#older.size === 0) return this.reload();
    await Promise.all([TUMBLING, SLIDING].map((operator) => this.#load(bars, symbol, operator, { limit: NEWEST })));
    this.#changed.any = true;
  }

  async #refreshSymbols() {
    await this.#symbols.refresh();
    if (this.#symbol !== "" || !this.#visible) return;
    const { mostRecent } = this.#symbols;
    if (mostRecent) location.replace(address(mostRecent, this.#operator));
    else notice("No trade has arrived yet. Start the simulator with --market, or put a trade on the event bus.");
  }

  /** @returns What the header counts. */
  message(message: LiveMessage): Counted | null {
    if (isOfSensor(message) || message.data.symbol !== this.#symbol) return null;
    const { type, data } = message;
    if (type === "bar") {
      this.#bars.add(data);
      this.#changed.any = true;
      this.#skipped = 0;
      return { items: 0, windows: 1, latency: null };
    }
    if (type === "trade") {
      this.#bars.trade(data);
      this.#currencies.add(data.currency);
      this.#changed.any = true;
      return { items: 1, windows: 0, latency: Date.now() - data.timestamp };
    }
    // What came as JSON has no property that is undefined.
    if (type === "alert") this.#alerts.add(data as Alert);
    else if (type === "dropped") {
      this.#skipped += data.trades;
      this.#changed.any = true;
    }
    return null;
  }

  /** Draws what has changed. */
  frame(now: number) {
    if (!this.#chart || !this.#changed.any || now - this.#drawnAt < DRAW_MS) return;
    this.#drawnAt = now;
    this.#candles = this.#bars.candles(this.#operator);
    this.#chart.show(this.#candles, this.#changed.first);
    this.#changed = { any: false, first: false };
    showBars(byId("bars"), this.#candles.slice(-LISTED_BARS).reverse());
    this.#showFigures();
  }

  /** The figures of the candle under the pointer, or else of the newest. */
  #showFigures() {
    const candles = this.#candles;
    const newest = candles.at(-1);
    const candle = candles.find(({ time: at }) => at === this.#hovered) ?? newest;
    const unit = this.#currencies.size > 1 ? "(mixed currencies)" : ([...this.#currencies][0] ?? "");
    const last = candles.findLast(({ close }) => close !== null);
    byId("last-price").textContent = price(last?.close, unit);
    byId("last-at").textContent = last ? `at ${time(last.lastTrade)}` : "";
    const skipped = this.#skipped === 0 ? "" : `; ${amount(this.#skipped)} were skipped, the page was too slow`;
    const state = candle?.final ? "" : `, not final: the trades that this page has seen so far${skipped}`;
    byId("bar-of").textContent = candle ? `${interval(candle.window)}${state}` : "";
    byId("bar-of").className = candle && !candle.final ? "forming" : "";
    showFigures(byId("bar-figures"), {
      open: price(candle?.open, unit),
      high: price(candle?.high, unit),
      low: price(candle?.low, unit),
      close: price(candle?.close, unit),
      vwap: price(candle?.vwap, unit),
      volume: amount(candle?.volume, "units"),
      count: trades(candle?.count),
      pending: trades(candle?.pending),
      cancelled: trades(candle?.cancelled),
    });
    byId("candles").setAttribute(
      "aria-label",
      newest
        ? `${candles.length} candles of ${this.#symbol}, the newest from ${interval(newest.window)}`
        : `No bars of ${this.#symbol}`,
    );
  }
}

function notice(text: string) {
  byId("market-notice").textContent = text;
  byId("market-notice").hidden = text === "";
}
