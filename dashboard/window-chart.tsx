import { useEffect, useRef } from "preact/hooks";
import type uPlot from "uplot";
import type { SensorWindow } from "./api.ts";
import { type ChartKind, chartKinds } from "./channels.ts";
import { time } from "./format.ts";
import { type Line, makePlot } from "./plot.ts";
import type { History } from "./window-history.ts";

const HEIGHT = 160;
/** The least and the greatest magnitude. */
const BAND: readonly Line[] = [
  { label: "least", colour: "--band" },
  { label: "greatest", colour: "--band" },
];

interface WindowChartsProps {
  /** What they are of, for who hears it. */
  readonly of: string;
  readonly history: History;
  /** Time of the left and the right edge, epoch ms. */
  readonly from: number;
  readonly to: number;
}

interface WindowChartProps extends Omit<WindowChartsProps, "history"> {
  readonly kind: ChartKind;
  /** Oldest first. */
  readonly windows: readonly SensorWindow[];
  /** Windows that are further apart are not joined by a line, in ms. */
  readonly gapMs: number;
}

/** A chart of each kind: means of windows as lines, and what the magnitude reached as a band behind them. */
export function WindowCharts({ history: { windows, everyMs }, ...props }: WindowChartsProps) {
  const gapMs = Math.max(everyMs, lengthOf(windows)) * 1.5;
  return (
    <>
      {chartKinds.map((kind) => (
        <WindowChart key={kind.title} kind={kind} windows={windows} gapMs={gapMs} {...props} />
      ))}
    </>
  );
}

/** Length of each of these windows, in ms; a second where there are none. */
export function lengthOf([first]: readonly SensorWindow[]): number {
  return first ? first.window.end - first.window.start : 1_000;
}

function WindowChart({ kind, of, windows, from, to, gapMs }: WindowChartProps) {
  const container = useRef<HTMLDivElement>(null);
  const readout = useRef<HTMLSpanElement>(null);
  const shown = useRef({ from, to, gapMs });
  shown.current = { from, to, gapMs };
  const plot = useRef<uPlot | null>(null);
  useEffect(() => {
    if (!container.current) return;
    const made = makePlot(container.current, {
      height: HEIGHT,
      lines: [...kind.channels, ...BAND],
      atLeast: kind.atLeast,
      range: () => shown.current,
      gapMs: () => shown.current.gapMs,
      onCursor: ({ cursor, data }) => {
        const i = (cursor.left ?? -1) < 0 ? null : cursor.idx;
        if (readout.current) readout.current.textContent = i == null ? "" : textAt(kind, data, i);
      },
    });
    plot.current = made.plot;
    return () => {
      made.destroy();
      plot.current = null;
    };
  }, [kind]);
  useEffect(() => {
    plot.current?.setData(columnsOf(kind, windows));
  }, [kind, windows, from, to, gapMs]);
  return (
    <figure class="chart">
      <figcaption>
        {`${kind.title}, ${kind.unit}: means`}
        {kind.channels.map(({ name, label, colour }) => (
          <span key={name}>
            <i class={`key ${colour.slice(2)}`} /> {label}
          </span>
        ))}
        <span>{`thin: least and greatest ${kind.channels.at(-1)?.label ?? ""}`}</span>
        <span ref={readout} class="at" />
      </figcaption>
      <div ref={container} class="plot" role="img" aria-label={`${kind.title} of ${of}, ${windows.length} windows`} />
    </figure>
  );
}

/** Times, a mean for each channel, and the least and the greatest magnitude. */
function columnsOf({ channels }: ChartKind, windows: readonly SensorWindow[]): uPlot.AlignedData {
  const magnitude = channels.at(-1)?.name ?? "accMag";
  const column = (name: string, figure: "mean" | "min" | "max"): number[] =>
    windows.map((window) => window.channels[name]?.[figure] ?? Number.NaN);
  return [
    windows.map(({ window }) => (window.start + window.end) / 2),
    ...channels.map(({ name }) => column(name, "mean")),
    column(magnitude, "min"),
    column(magnitude, "max"),
  ];
}

function textAt({ channels, unit }: ChartKind, data: uPlot.AlignedData, i: number): string {
  const values = channels.map(({ label }, series) => `${label} ${data[series + 1]?.[i]?.toFixed(2) ?? "–"}`);
  return `${time(data[0][i])}: ${values.join(", ")} ${unit}`;
}
