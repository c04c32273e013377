import type uPlot from "uplot";
import type { ChartKind } from "./channels.ts";
import { makePlot } from "./plot.ts";
import { CHANNELS, type ReadingsView } from "./readings.ts";

/** A chart shows this much event time, in ms. */
export const SPAN_MS = 30_000;
/** Readings that are further apart are not joined, in ms. Windows of a second, which fill in what was before, are. */
const GAP_MS = 1_500;
const HEIGHT = 150;

/** Readings of one kind as lines that move with time. */
export class LiveChart {
  readonly #plot: uPlot;
  readonly #columns: readonly number[];
  readonly #end: () => void;
  /** Time of the right edge, epoch ms. */
  #right = SPAN_MS;
  /** Whether the reader can see it: what is out of sight is not drawn. */
  #isInSight = true;

  /** @param onHover Gets the time under the pointer, epoch ms; null when there is none. */
  constructor(container: HTMLElement, kind: ChartKind, onHover: (time: number | null) => void) {
    this.#columns = kind.channels.map(({ name }) => CHANNELS.indexOf(name));
    const { plot, destroy } = makePlot(container, {
      height: HEIGHT,
      lines: kind.channels,
      atLeast: kind.atLeast,
      range: () => ({ from: this.#right - SPAN_MS, to: this.#right }),
      gapMs: () => GAP_MS,
    });
    this.#plot = plot;
    for (const event of ["pointerdown", "pointermove"] as const)
      plot.over.addEventListener(event, ({ offsetX }) => onHover(plot.posToVal(offsetX, "x")));
    plot.over.addEventListener("pointerleave", () => onHover(null));
    const sight = new IntersectionObserver(([entry]) => (this.#isInSight = entry?.isIntersecting ?? true));
    sight.observe(container);
    this.#end = () => {
      sight.disconnect();
      destroy();
    };
  }

  /** @param right Time of the right edge, epoch ms. */
  draw({ t, columns }: ReadingsView, right: number): void {
    if (!this.#isInSight) return;
    this.#right = right;
    this.#plot.batch(() => {
      this.#plot.setData([t, ...this.#columns.map((column) => columns[column]!)], false);
      this.#plot.setScale("x", { min: right - SPAN_MS, max: right });
    });
  }

  /** Puts the line that says what is read at a time, epoch ms; null for nowhere. */
  point(time: number | null): void {
    this.#plot.setCursor({ left: time === null ? -10 : this.#plot.valToPos(time, "x"), top: 0 }, false);
  }

  destroy(): void {
    this.#end();
  }
}
