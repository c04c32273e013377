import type { Rejected, SamplesData } from "../domain/live-messages.ts";
import type { InferenceRecord, WindowRecord } from "../domain/records.ts";
import type { ActivityStretch, Sensor, SensorWindow, Session } from "./api.ts";
import type { LiveChart } from "./live-chart.ts";
import { SPAN_MS } from "./live-chart.ts";
import { CHANNELS, Readings, type ReadingsView } from "./readings.ts";

/** Readings are kept a little longer than a chart shows them, in ms. */
const MARGIN_MS = 2_000;
/** The right edge of a chart moves on without readings for so long, in ms. */
const COAST_MS = 2_000;

/** Windows without readings that are remembered until newer readings come, at most. */
const MOST_EMPTY = 60;

/** What the model says of a part of a sensor's time. */
export interface Activity {
  readonly start: number;
  readonly end: number;
  readonly label: string | null;
  readonly probabilities: Readonly<Record<string, number>> | null;
  /** Name and version. */
  readonly model: string;
}

/** All that the page knows of a sensor whose charts it shows. */
export class WatchedSensor {
  readonly sensorId: string;
  readonly readings = new Readings(SPAN_MS + MARGIN_MS);
  readonly charts = new Set<LiveChart>();
  /** Oldest first, of the time that the charts show. */
  activities: readonly Activity[] = [];
  window: WindowRecord | null = null;
  /** The newest refused message. */
  rejection: Rejected | null = null;
  /** Messages that were refused since the panel is there. */
  refused = 0;
  /** Readings that the live feed has left out: the page was too slow. */
  skipped = 0;
  /** Newest event time that is known, epoch ms; 0 where none is. */
  lastSeen = 0;
  warnings: Session["warnings"] = [];
  /** Where its activity is drawn. */
  strip: HTMLCanvasElement | null = null;
  /** What the charts have stopped at. */
  #frozen: ReadingsView | null = null;
  /** Time of the first reading of the live feed, epoch ms: what is before it are means of windows. */
  liveSince: number | null = null;
  /** Whether the charts have means of windows where the live feed was lost. */
  isPatched = false;
  /** Windows of times without readings, oldest first: their readings were missed, or have not come yet. */
  #empty: readonly WindowRecord[] = [];
  #arrivedAt = 0;

  constructor(sensorId: string) {
    this.sensorId = sensorId;
  }

  samples(samples: SamplesData): void {
    const before = this.readings.newest;
    this.readings.add(samples);
    this.liveSince ??= samples.t[0] ?? null;
    if (this.readings.newest > before) this.#arrivedAt = performance.now();
    this.lastSeen = Math.max(this.lastSeen, this.readings.newest);
    this.#patch();
  }

  newWindow(window: WindowRecord): void {
    this.window = window;
    const isShort = window.operator.startsWith("tumbling-") && window.window.end - window.window.start < SPAN_MS;
    if (this.liveSince === null || !isShort) return;
    this.#empty = [...this.#empty, window].slice(-MOST_EMPTY);
    this.#patch();
  }

  /** Draws the means of windows whose readings were missed. Readings that are newer have come by then. */
  #patch(): void {
    const { newest } = this.readings;
    const over = this.#empty.filter(({ window }) => window.end <= newest);
    if (over.length === 0) return;
    this.#empty = this.#empty.filter(({ window }) => window.end > newest);
    const since = this.liveSince ?? newest;
    if (this.#fillIn(over).some(({ window }) => window.start > since)) this.isPatched = true;
  }

  inference({ window: { start, end }, label, probabilities, model }: InferenceRecord): void {
    this.#addActivities([{ start, end, label, probabilities, model: `${model.name} ${model.version}` }]);
  }

  /** Fills in times without readings: the means of windows, newest first. */
  fillWindows(windows: readonly SensorWindow[]): void {
    this.#fillIn(windows);
  }

  /** Returns those that were filled in. */
  #fillIn<T extends Pick<SensorWindow, "window" | "channels">>(windows: readonly T[]): T[] {
    return windows.filter(({ window, channels }) =>
      this.readings.addWhereEmpty(
        window,
        CHANNELS.map((name) => channels[name]?.mean ?? Number.NaN),
      ),
    );
  }

  fillActivity(stretches: readonly ActivityStretch[]): void {
    const first = this.activities[0]?.start ?? Number.POSITIVE_INFINITY;
    this.#addActivities(stretches.filter(({ end }) => end <= first));
  }

  heard({ lastSeen }: Sensor): void {
    this.lastSeen = Math.max(this.lastSeen, lastSeen);
  }

  /**
   * Time of the right edge of the charts, epoch ms: between two messages it moves for a while, and before the first one
   * it is the present.
   */
  right(now: number): number {
    if (this.liveSince === null) return Date.now();
    return this.readings.newest + Math.min(now - this.#arrivedAt, COAST_MS);
  }

  /** Keeps what the charts show while they stand still. */
  freeze(isFrozen: boolean): void {
    const { t, columns } = this.readings.view();
    this.#frozen = isFrozen ? { t: t.slice(), columns: columns.map((column) => column.slice()) } : null;
  }

  /** What the charts show. */
  shown(): ReadingsView {
    return this.#frozen ?? this.readings.view();
  }

  #addActivities(added: readonly Activity[]): void {
    const all = [...this.activities, ...added].sort((a, b) => a.start - b.start);
    const newest = all.at(-1)?.end ?? 0;
    this.activities = all.filter(({ end }) => end > newest - SPAN_MS - MARGIN_MS);
  }
}
