import { useEffect, useRef } from "preact/hooks";
import { colourOf, nameOf, percent } from "./activity.ts";
import { type ChartKind, chartKinds } from "./channels.ts";
import { amount, time } from "./format.ts";
import { hearing, isLive } from "./hearing.ts";
import { LiveChart } from "./live-chart.ts";
import { rejectedAddress } from "./rejected.ts";
import { storyAddress } from "./story.ts";
import type { Activity, WatchedSensor } from "./watched-sensor.ts";

interface LivePanelProps {
  readonly watched: WatchedSensor;
  /** What the charts say at the time that is pointed at, or at the newest. */
  readonly reading: Reading | null;
  readonly onRemove: () => void;
  readonly onHover: (time: number | null) => void;
}

/** Values at one time, by the names of channels. */
export interface Reading {
  /** Epoch ms. */
  readonly time: number;
  readonly values: Readonly<Record<string, number>>;
}

/** One chosen sensor: its charts, its activity, and its newest window. */
export function LivePanel({ watched, reading, onRemove, onHover }: LivePanelProps) {
  const { sensorId, lastSeen, skipped, warnings, window, activities, liveSince, isPatched } = watched;
  return (
    <article class="panel" data-sensor={sensorId}>
      <div class="panel-head">
        <h2>
          <a class="target" href={`#/sensor/${sensorId}`}>
            {sensorId}
          </a>
        </h2>
        {lastSeen > 0 && <span class={`status ${isLive(lastSeen) ? "open" : ""}`}>{hearing(lastSeen)}</span>}
        {skipped > 0 && <span class="muted">{`${amount(skipped)} readings skipped: this page was too slow`}</span>}
        <button type="button" class="close" aria-label={`Remove ${sensorId}`} onClick={onRemove}>
          ×
        </button>
      </div>
      <Refusal watched={watched} />
      {warnings.length > 0 && <p class="warning">{warnings.map(({ message }) => message).join(" ")}</p>}
      {chartKinds.map((kind) => (
        <Chart key={kind.title} watched={watched} kind={kind} reading={reading} onHover={onHover} />
      ))}
      <ActivityLine watched={watched} newest={activities.at(-1)} />
      {window && (
        <p class="window-line">
          {`Window of ${time(window.window.start)}, ${(window.window.end - window.window.start) / 1_000} s: `}
          {`${amount(window.count)} readings, |a| mean ${window.channels.accMag.mean.toFixed(2)} m/s², `}
          {`std ${window.channels.accMag.std.toFixed(2)} m/s²; fired by ${window.cause}`}
          {window.revision > 0 && `, revision ${window.revision}`}{" "}
          <a class="target" href={storyAddress(window.id)} aria-label={`Story of the newest window of ${sensorId}`}>
            Story
          </a>
        </p>
      )}
      {liveSince !== null && (
        <p class="muted hint">
          {`Before ${time(liveSince)}${isPatched ? ", and where the live feed was lost" : ""}: `}
          {"means of windows of a second."}
        </p>
      )}
    </article>
  );
}

/** The newest refused message, with a link to its letter. */
function Refusal({ watched: { sensorId, rejection, refused } }: { readonly watched: WatchedSensor }) {
  const { id, at, code, message, seq, boot } = rejection ?? {};
  const number = seq == null ? "" : `, seq ${seq}${boot == null ? "" : ` of boot ${boot}`}`;
  const before = refused > 1 ? ` ${amount(refused - 1)} before it.` : "";
  return (
    <p class="rejected" role="status">
      {id !== undefined && (
        <>
          <span>{`Refused at ${time(at)}${number}: ${code}. ${message}${before} `}</span>
          <a href={rejectedAddress({ sensorId }, id)}>why, and what to do</a>
        </>
      )}
    </p>
  );
}

interface ChartProps extends Pick<LivePanelProps, "watched" | "reading" | "onHover"> {
  readonly kind: ChartKind;
}

function Chart({ watched, kind, reading, onHover }: ChartProps) {
  const container = useRef<HTMLDivElement>(null);
  const hover = useRef(onHover);
  hover.current = onHover;
  useEffect(() => {
    if (!container.current) return;
    const chart = new LiveChart(container.current, kind, (at) => hover.current(at));
    watched.charts.add(chart);
    return () => {
      watched.charts.delete(chart);
      chart.destroy();
    };
  }, [watched, kind]);
  return (
    <figure class="chart">
      <figcaption>
        {`${kind.title}, ${kind.unit}`}
        <dl class="values">
          {kind.channels.map(({ name, label, colour }) => (
            <div key={name}>
              <dt>
                <i class={`key ${colour.slice(2)}`} /> {label}
              </dt>
              <dd>{figure(reading?.values[name])}</dd>
            </div>
          ))}
        </dl>
        <span class="at muted">{reading && `at ${time(reading.time)}`}</span>
      </figcaption>
      <div
        ref={container}
        class="plot"
        role="img"
        aria-label={`${kind.title} of ${watched.sensorId} over thirty seconds`}
      />
    </figure>
  );
}

/** A value with its sign in a column of its own, so that figures stand still. */
function figure(value: number | undefined): string {
  if (value === undefined || Number.isNaN(value)) return "–";
  return `${value < 0 ? "−" : " "}${Math.abs(value).toFixed(2)}`;
}

/** What the model says now, and has said while the charts lasted. */
function ActivityLine({ watched, newest }: { readonly watched: WatchedSensor; readonly newest: Activity | undefined }) {
  if (!newest) return <p class="muted hint">No model has scored this sensor's newest readings.</p>;
  const { label, probabilities, model } = newest;
  return (
    <div class="activity-line">
      <p title={model}>
        Activity <strong class="activity">{label === null ? "–" : nameOf(label)}</strong>
        <ul class="shares" aria-label="Probabilities">
          {Object.entries(probabilities ?? {})
            .toSorted(([a], [b]) => (a < b ? -1 : 1))
            .map(([name, share]) => (
              <li key={name}>
                <i class={`key ${colourOf(name).slice(2)}`} /> {`${nameOf(name)} ${percent(share)}`}
              </li>
            ))}
        </ul>
      </p>
      <canvas
        class="strip"
        role="img"
        aria-label={`Activity of ${watched.sensorId} over thirty seconds`}
        ref={(canvas) => {
          watched.strip = canvas;
        }}
      />
    </div>
  );
}
