/** Candles with their volume, drawn by TradingView's Lightweight Charts. */
import { price, time } from "./format.js";

/** @typedef {import("./bars.js").Candle} Candle */
/** @typedef {typeof import("lightweight-charts")} Library */

/** Where the page's server has the library. */
const LIBRARY = "./vendor/lightweight-charts.js";
const MINUTE = 60_000;
/** Up to so many minutes without a bar are shown as a gap; of more, nothing is shown. */
const MAX_GAP = 60;
/** Candles that there is room for at first: those that there are, within these. */
const IN_SIGHT = { least: 30, most: 90 };

/** Loads the library when the first chart needs it. @returns {Promise<Library>} */
export function loadCharts() {
  return import(LIBRARY);
}

export class Candles {
  #chart;
  #prices;
  #volumes;
  #container;
  /** @type {Candle[]} */
  #shown = [];

  /**
   * @param {Library} library
   * @param {HTMLElement} container
   * @param {{ onHover: (time: number | null) => void; onBeginning: () => void }} listeners `onHover` gets the time of
   *   the candle under the pointer, epoch ms; `onBeginning` is called when the first candle comes into sight.
   */
  constructor(library, container, { onHover, onBeginning }) {
    this.#container = container;
    this.#chart = library.createChart(container, {
      autoSize: true,
      // The logo brings a style sheet of its own, which the policy refuses. The page has the notice and the link.
      layout: { attributionLogo: false },
      timeScale: {
        timeVisible: true,
        secondsVisible: false,
        rightOffset: 3,
        tickMarkFormatter: (/** @type {number} */ seconds) =>
          new Date(seconds * 1_000).toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit" }),
      },
      localization: { timeFormatter: (/** @type {number} */ seconds) => time(seconds * 1_000) },
    });
    this.#prices = this.#chart.addSeries(library.CandlestickSeries, {
      priceFormat: { type: "custom", minMove: 1e-8, formatter: (/** @type {number} */ value) => price(value) },
    });
    this.#volumes = this.#chart.addSeries(
      library.HistogramSeries,
      { priceFormat: { type: "volume" }, lastValueVisible: false, priceLineVisible: false },
      1,
    );
    this.#chart.panes()[1]?.setStretchFactor(0.3);
    this.#chart.subscribeCrosshairMove(({ time: at }) => onHover(typeof at === "number" ? at * 1_000 : null));
    this.#chart.timeScale().subscribeVisibleLogicalRangeChange((range) => {
      if (range && range.from < 0 && this.#shown.length > 0) onBeginning();
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#paint());
    this.#paint();
  }

  /** @param {Candle[]} candles Oldest first. @param {boolean} first Whether they are another symbol's or operator's. */
  show(candles, first) {
    this.#shown = candles;
    const points = withGaps(candles);
    const colours = this.#colours();
    this.#prices.setData(points.map((point) => pricePoint(point, colours)));
    this.#volumes.setData(points.map((point) => volumePoint(point, colours)));
    if (!first) return;
    const room = Math.min(IN_SIGHT.most, Math.max(IN_SIGHT.least, points.length));
    this.#chart.timeScale().setVisibleLogicalRange({ from: points.length - room, to: points.length + 2 });
  }

  /** Takes the colours of the style sheet. */
  #paint() {
    const { up, down, ink, line, card, muted } = this.#colours();
    this.#chart.applyOptions({
      layout: {
        background: { color: card },
        textColor: muted,
        fontFamily: getComputedStyle(this.#container).fontFamily,
        panes: { separatorColor: line },
      },
      grid: { vertLines: { color: line }, horzLines: { color: line } },
      crosshair: { vertLine: { labelBackgroundColor: ink }, horzLine: { labelBackgroundColor: ink } },
      timeScale: { borderColor: line },
      rightPriceScale: { borderColor: line },
    });
    this.#prices.applyOptions({
      upColor: up,
      downColor: down,
      borderUpColor: up,
      borderDownColor: down,
      wickUpColor: up,
      wickDownColor: down,
    });
    this.show(this.#shown, false);
  }

  #colours() {
    const style = getComputedStyle(this.#container);
    /** @param {string} name */
    const colour = (name) => style.getPropertyValue(name).trim();
    return {
      up: colour("--up"),
      down: colour("--down"),
      ink: colour("--ink"),
      line: colour("--line"),
      card: colour("--card"),
      muted: colour("--muted"),
    };
  }
}

/** @typedef {{ time: number; candle: Candle | null }} Point */

/** A point for each candle, and for each minute between two that are near enough. @param {Candle[]} candles */
function withGaps(candles) {
  /** @type {Point[]} */
  const points = [];
  for (const candle of candles) {
    const before = points.at(-1)?.time ?? candle.time;
    if (candle.time - before <= MAX_GAP * MINUTE)
      for (let at = before + MINUTE; at < candle.time; at += MINUTE) points.push({ time: at, candle: null });
    points.push({ time: candle.time, candle });
  }
  return points;
}

/** @param {number} ms */
function chartTime(ms) {
  return /** @type {import("lightweight-charts").UTCTimestamp} */ (ms / 1_000);
}

/** A candle; one that is not final is pale inside. @param {Point} point @param {{ line: string }} colours */
function pricePoint({ time: at, candle }, { line }) {
  if (!candle || candle.open === null || candle.high === null || candle.low === null || candle.close === null)
    return { time: chartTime(at) };
  const { open, high, low, close } = candle;
  return { time: chartTime(at), open, high, low, close, ...(candle.final ? {} : { color: line }) };
}

/** @param {Point} point @param {{ up: string; down: string; muted: string; line: string }} colours */
function volumePoint({ time: at, candle }, { up, down, muted, line }) {
  if (!candle || candle.volume === null) return { time: chartTime(at) };
  const { open, close, volume } = candle;
  const colour = open === null || close === null ? muted : close >= open ? up : down;
  return { time: chartTime(at), value: volume, color: candle.final ? colour : line };
}
