/** Live traces of one sensor on a canvas. */

import type { Samples } from "./client.ts";

/** The canvas shows this much event time. */
const SPAN_MS = 10_000;
/** Pixels left of the traces, for the scale. */
const LEFT = 34;
const CHANNELS = ["ax", "ay", "az", "accMag"] as const;
/** Custom properties of the style sheet, per channel. */
export const COLOURS = { ax: "--x", ay: "--y", az: "--z", accMag: "--magnitude" };

export class Trace {
  #samples: { t: number; values: number[] }[] = [];
  /** Newest event time, and its arrival. The right edge keeps moving between two messages. */
  #newest = { t: 0, at: 0 };
  #canvas;

  constructor(canvas: HTMLCanvasElement) {
    this.#canvas = canvas;
  }

  add(columns: Samples) {
    const times = columns.t;
    times.forEach((t, i) => this.#samples.push({ t, values: CHANNELS.map((name) => columns[name]?.[i] ?? NaN) }));
    const last = times.at(-1) ?? 0;
    if (last > this.#newest.t) this.#newest = { t: last, at: performance.now() };
    this.#samples.sort((a, b) => a.t - b.t);
    const first = this.#samples.findIndex(({ t }) => t > this.#newest.t - SPAN_MS - 1_000);
    if (first > 0) this.#samples.splice(0, first);
  }

  draw() {
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    const ratio = devicePixelRatio || 1;
    if (this.#canvas.width !== Math.round(width * ratio)) this.#canvas.width = Math.round(width * ratio);
    if (this.#canvas.height !== Math.round(height * ratio)) this.#canvas.height = Math.round(height * ratio);
    const context = this.#canvas.getContext("2d");
    if (!context) return;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    const style = getComputedStyle(this.#canvas);
    const { low, high } = this.#range();

    const y = (value: number) => 6 + (1 - (value - low) / (high - low)) * (height - 22);
    const right = this.#newest.t + Math.min(performance.now() - this.#newest.at, 2_000);
    this.#grid(context, style, width, height, low, high, y);
    CHANNELS.forEach((name, channel) => {
      context.strokeStyle = style.getPropertyValue(COLOURS[name]);
      context.lineWidth = name === "accMag" ? 1.8 : 1.2;
      context.beginPath();
      let before = -Infinity;
      for (const { t, values: row } of this.#samples) {
        const x = LEFT + (1 - (right - t) / SPAN_MS) * (width - LEFT - 2);
        if (x < LEFT) continue;
        if (t - before > 1_000) context.moveTo(x, y(row[channel] ?? 0));
        else context.lineTo(x, y(row[channel] ?? 0));
        before = t;
      }
      context.stroke();
    });
  }

  /** Range of the vertical axis in m/s²: what a sensor at rest shows, or more. */
  #range() {
    let low = -2;
    let high = 12;
    for (const { values } of this.#samples) {
      for (const value of values) {
        if (value < low) low = value;
        if (value > high) high = value;
      }
    }
    return { low, high };
  }

  #grid(
    context: CanvasRenderingContext2D,
    style: CSSStyleDeclaration,
    width: number,
    height: number,
    low: number,
    high: number,
    y: (value: number) => number,
  ) {
    const step = high - low > 60 ? 20 : high - low > 30 ? 10 : 5;
    context.font = "10px system-ui";
    context.fillStyle = style.getPropertyValue("--muted");
    context.strokeStyle = style.getPropertyValue("--line");
    context.lineWidth = 1;
    for (let value = Math.ceil(low / step) * step; value <= high; value += step) {
      context.beginPath();
      context.moveTo(LEFT, y(value));
      context.lineTo(width, y(value));
      context.stroke();
      context.fillText(String(value), 4, y(value) + 3);
    }
    for (let second = 0; second <= SPAN_MS / 1_000; second += 2)
      context.fillText(
        second === 0 ? "now" : `−${second} s`,
        LEFT + (1 - (second * 1_000) / SPAN_MS) * (width - 60),
        height - 3,
      );
  }
}
