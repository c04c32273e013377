/** What the page's charts share. */

import uPlot from "uplot";
import { drawLine } from "./chart-path.ts";
import { onThemeChange, themeColour } from "./theme.ts";

/** Pixels beside what a chart draws: the scale is at the left. */
export const INSET = { left: 36, right: 28 } as const;

/** One line of a chart: its label, and the custom property of the style sheet with its colour. */
export interface Line {
  readonly label: string;
  readonly colour: string;
}

interface PlotOptions {
  readonly height: number;
  readonly lines: readonly Line[];
  /** The vertical axis shows this much at least. */
  readonly atLeast: readonly [low: number, high: number];
  /** The time that is shown, epoch ms. */
  readonly range: () => { readonly from: number; readonly to: number };
  /** Values that are further apart are not joined, in ms. */
  readonly gapMs: () => number;
  /** Called when the reader points at another time. */
  readonly onCursor?: (plot: uPlot) => void;
}

/** Makes a chart of lines over time that has the width of its container. @returns The chart, and what ends it. */
export function makePlot(container: HTMLElement, options: PlotOptions): { plot: uPlot; destroy: () => void } {
  const { height, lines, atLeast, range, gapMs, onCursor } = options;
  const axis = {
    stroke: () => themeColour("--muted"),
    grid: { stroke: () => themeColour("--line"), width: 1 },
    ticks: { show: false },
    font: "11px system-ui",
  };
  const paths = ({ data, scales, bbox }: uPlot, series: number): uPlot.Series.Paths => {
    const path = new Path2D();
    const area = { ...bbox, x: limitsOf(scales["x"]), y: limitsOf(scales["y"]) };
    drawLine(path, data[0], data[series] as ArrayLike<number>, area, gapMs());
    return { stroke: path };
  };
  const plot = new uPlot(
    {
      width: container.clientWidth || 400,
      height,
      ms: 1,
      legend: { show: false },
      padding: [8, INSET.right, 0, 0],
      cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
      scales: {
        x: { time: true, range: () => [range().from, range().to] },
        y: { range: (_, low, high) => withHeadroom(Math.min(atLeast[0], low ?? 0), Math.max(atLeast[1], high ?? 0)) },
      },
      axes: [
        {
          ...axis,
          size: 24,
          space: 90,
          values: (_, times) => times.map((time) => new Date(time).toLocaleTimeString()),
        },
        { ...axis, size: INSET.left, space: 28 },
      ],
      series: [
        {},
        ...lines.map(({ label, colour }) => ({
          label,
          stroke: () => themeColour(colour),
          // A line as wide as a pixel is drawn ten times as fast as a wider one where no graphics processor helps.
          width: 1,
          points: { show: false },
          paths,
        })),
      ],
      hooks: onCursor ? { setCursor: [onCursor] } : {},
    },
    [[], ...lines.map(() => [])],
    container,
  );
  const resize = new ResizeObserver(() => plot.setSize({ width: container.clientWidth, height }));
  resize.observe(container);
  const endTheme = onThemeChange(() => plot.redraw(false));
  return {
    plot,
    destroy: () => {
      resize.disconnect();
      endTheme();
      plot.destroy();
    },
  };
}

function limitsOf({ min, max }: uPlot.Scale = {}): { min: number; max: number } {
  return { min: min ?? 0, max: max ?? 1 };
}

function withHeadroom(low: number, high: number): [number, number] {
  const room = (high - low) * 0.04;
  return [low - room, high + room];
}
