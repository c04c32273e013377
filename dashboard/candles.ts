/** Candles with their volume, drawn by TradingView's Lightweight Charts. */

import { CandlestickSeries, createChart, HistogramSeries, type UTCTimestamp } from "lightweight-charts";
import type { Candle } from "./bars.ts";
import { price, time } from "./format.ts";

const MINUTE = 60_000;
/** Up to so many minutes without a bar are shown as a gap; of more, nothing is shown. */
const MAX_GAP = 60;
/** Candles that there is room for at first: those that there are, within these. */
const IN_SIGHT = { least: 30, most: 90 };

export class Candles {
  #chart;
  #prices;
  #volumes;
  #container;

  #shown: Candle[] = [];

  /**
   * @param listeners `onHover` gets the time of the candle under the pointer, epoch ms; `onBeginning` is called when
   *   the first candle comes into sight.
   */
  constructor(
    container: HTMLElement,
    { onHover, onBeginning }: { onHover: (time: number | null) => void; onBeginning: () => void },
  ) {
    this.#container = container;
    this.#chart = createChart(container, {
      autoSize: true,
      // The logo brings a style sheet of its own, which the policy refuses. The page has the notice and the link.
      layout: { attributionLogo: false },
      timeScale: {
        timeVisible: true,
        secondsVisible: false,
        rightOffset: 3,
        tickMarkFormatter: (seconds: number) =>
          new Date(seconds * 1_000).toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit" }),
      },
      localization: { timeFormatter: (seconds: number) => time(seconds * 1_000) },
    });
    this.#prices = this.#chart.addSeries(CandlestickSeries, {
      priceFormat: { type: "custom", minMove: 1e-8, formatter: (value: number) => price(value) },
    });
    this.#volumes = this.#chart.addSeries(
      HistogramSeries,
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

  /**
   * @param candles Oldest first.
   * @param first Whether they are another symbol's or operator's.
   */
  show(candles: Candle[], first: boolean) {
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

    const colour = (name: string) => style.getPropertyValue(name).trim();
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

export type Point = { time: number; candle: Candle | null };

/** A point for each candle, and for each minute between two that are near enough. */
function withGaps(candles: Candle[]) {
  const points: Point[] = [];
  for (const candle of candles) {
    const before = points.at(-1)?.time ?? candle.time;
    if (candle.time - before <= MAX_GAP * MINUTE)
      for (let at = before + MINUTE; at < candle.time; at += MINUTE) points.push({ time: at, candle: null });
    points.push({ time: candle.time, candle });
  }
  return points;
}

function chartTime(ms: number) {
  return (ms / 1_000) as UTCTimestamp;
}

/** A candle; one that is not final is pale inside. */
function pricePoint({ time: at, candle }: Point, { line }: { line: string }) {
  if (!candle || candle.open === null || candle.high === null || candle.low === null || candle.close === null)
    return { time: chartTime(at) };
  const { open, high, low, close } = candle;
  return { time: chartTime(at), open, high, low, close, ...(candle.final ? {} : { color: line }) };
}

function volumePoint(
  { time: at, candle }: Point,
  { up, down, muted, line }: { up: string; down: string; muted: string; line: string },
) {
  if (!candle || candle.volume === null) return { time: chartTime(at) };
  const { open, close, volume } = candle;
  const colour = open === null || close === null ? muted : close >= open ? up : down;
  return { time: chartTime(at), value: volume, color: candle.final ? colour : line };
}
