import { render } from "preact";
import { ActivityTimeline } from "./activity-timeline.tsx";
import {
  type ActivityStretch,
  answer,
  type Api,
  apiAt,
  type List,
  type ListedDeadLetter,
  type Sensor,
  type SensorFeatures,
  type Session,
} from "./api.ts";
import { type Config, RequestError } from "./client.ts";
import { byId } from "./dom.ts";
import { amount, duration, time } from "./format.ts";
import { hearing, isLive } from "./hearing.ts";
import { type Listed, readActivity, readSessions } from "./history.ts";
import { liveAddress } from "./live-address.ts";
import { rejectedAddress } from "./rejected.ts";
import { SessionTable } from "./session-table.tsx";
import { storyAddress } from "./story.ts";
import type { View } from "./view.ts";
import { lengthOf, WindowCharts } from "./window-chart.tsx";
import { gapsBetween, type History, readWindows } from "./window-history.ts";

const SENSOR_ID = /^[A-Za-z0-9:_-]{1,128}$/;
const MINUTE = 60_000;
/** What may be looked at: its name in the address, and how long it is, in ms. */
const RANGES: ReadonlyMap<string, { readonly label: string; readonly ms: number }> = new Map([
  ["1m", { label: "1 minute", ms: MINUTE }],
  ["10m", { label: "10 minutes", ms: 10 * MINUTE }],
  ["1h", { label: "1 hour", ms: 60 * MINUTE }],
  ["6h", { label: "6 hours", ms: 360 * MINUTE }],
  ["24h", { label: "24 hours", ms: 1_440 * MINUTE }],
]);
const DEFAULT_RANGE = "10m";
/** What is read again is read again after this part of the range, and not sooner than the least, in ms. */
const AGAIN = { part: 1 / 60, least: 2_000 } as const;
/** Rows of a table, at most. */
const LISTED = 20;

/** What the page has read of a sensor's time. */
interface Day {
  /** Epoch ms. */
  readonly from: number;
  readonly to: number;
  readonly sensor: Sensor;
  readonly history: History;
  readonly activity: Listed<ActivityStretch>;
  readonly sessions: Listed<Session>;
  readonly letters: List<ListedDeadLetter>;
  /** Null where there are none yet. */
  readonly features: SensorFeatures | null;
}

/** The view of one sensor's day. */
export class SensorView implements View {
  readonly component = "processor";
  readonly source = "api";
  readonly #api: Api;
  readonly #root = byId("sensor-view");
  #sensorId = "";
  #range = DEFAULT_RANGE;
  #day: Day | null = null;
  #notice = "";
  #readAt = -Infinity;
  #isReading = false;

  constructor({ restUrl }: Config) {
    this.#api = apiAt(restUrl);
  }

  /** @param query `range`: a name of `RANGES`. */
  show(sensorId: string, query: URLSearchParams): void {
    const range = query.get("range") ?? DEFAULT_RANGE;
    const wanted = RANGES.has(range) ? range : DEFAULT_RANGE;
    if (sensorId !== this.#sensorId) this.#day = null;
    if (sensorId !== this.#sensorId || wanted !== this.#range) this.#readAt = -Infinity;
    this.#sensorId = sensorId;
    this.#range = wanted;
    this.#notice = SENSOR_ID.test(sensorId) ? "" : `${sensorId} is no sensor id: A-Z a-z 0-9 : _ - are expected.`;
    document.title = `${sensorId} · Millrace`;
    this.#render();
  }

  async refresh(): Promise<void> {
    const { ms } = this.#chosen;
    const now = performance.now();
    if (!SENSOR_ID.test(this.#sensorId) || this.#isReading) return;
    if (now - this.#readAt < Math.max(AGAIN.least, ms * AGAIN.part)) return;
    const [sensorId, range] = [this.#sensorId, this.#range];
    this.#isReading = true;
    try {
      const day = await this.#read(sensorId, ms);
      if (sensorId !== this.#sensorId || range !== this.#range) return;
      this.#readAt = now;
      this.#day = day;
      this.#notice = "";
    } catch (error) {
      if (!(error instanceof RequestError) || error.status !== 404) throw error;
      if (sensorId === this.#sensorId) this.#notice = `No sensor ${sensorId} has been heard yet.`;
    } finally {
      this.#isReading = false;
      this.#render();
    }
  }

  get #chosen(): { readonly label: string; readonly ms: number } {
    return RANGES.get(this.#range) ?? { label: "10 minutes", ms: 10 * MINUTE };
  }

  async #read(sensorId: string, ms: number): Promise<Day> {
    const sensor = await answer(this.#api.GET("/sensors/{sensorId}", { params: { path: { sensorId } } }));
    // Of a sensor that is silent, the time before it fell silent is shown.
    const to = isLive(sensor.lastSeen) ? Date.now() : sensor.lastSeen + 1;
    const from = to - ms;
    const [history, activity, sessions, letters, features] = await Promise.all([
      readWindows(this.#api, sensorId, from, to),
      readActivity(this.#api, sensorId, from, to),
      readSessions(this.#api, sensorId, from, to),
      answer(this.#api.GET("/dead-letters", { params: { query: { sensorId, limit: LISTED } } })),
      this.#features(sensorId),
    ]);
    return { from, to, sensor, history, activity, sessions, letters, features };
  }

  async #features(sensorId: string): Promise<SensorFeatures | null> {
    try {
      return await answer(this.#api.GET("/sensors/{sensorId}/features", { params: { path: { sensorId } } }));
    } catch (error) {
      if (error instanceof RequestError && [404, 503].includes(error.status)) return null;
      throw error;
    }
  }

  #render(): void {
    const [sensorId, day] = [this.#sensorId, this.#day];
    render(
      <section class="content">
        <section class="panel" aria-labelledby="sensor-title">
          <div class="panel-head">
            <h1 id="sensor-title">{sensorId}</h1>
            {day && (
              <span class={`status ${isLive(day.sensor.lastSeen) ? "open" : ""}`} data-from="api">
                {hearing(day.sensor.lastSeen)}
              </span>
            )}
            <a class="target" href={liveAddress([sensorId])}>
              Live charts
            </a>
          </div>
          {this.#notice !== "" && (
            <p class="notice" role="status">
              {this.#notice}
            </p>
          )}
          {day && <Facts sensor={day.sensor} />}
          <fieldset class="switch">
            <legend>Time that is shown</legend>
            {[...RANGES].map(([name, { label }]) => (
              <label key={name}>
                <input
                  type="radio"
                  name="range"
                  checked={name === this.#range}
                  onChange={() => (location.hash = `#/sensor/${sensorId}?range=${name}`)}
                />
                {label}
              </label>
            ))}
          </fieldset>
          {!day && this.#notice === "" && <p role="status">Reading …</p>}
        </section>
        {day && <DayPanels sensorId={sensorId} day={day} label={this.#chosen.label} />}
      </section>,
      this.#root,
    );
  }
}

function Facts({ sensor }: { readonly sensor: Sensor }) {
  return (
    <dl class="window figures" data-from="api">
      <Fact name="first heard" value={time(sensor.firstSeen)} />
      <Fact name="last heard" value={time(sensor.lastSeen)} />
      <Fact name="sessions" value={amount(sensor.sessions)} />
      <Fact name="readings in sessions that ended" value={amount(sensor.samples)} />
      <Fact name="messages refused" value={amount(sensor.rejected)} />
    </dl>
  );
}

function Fact({ name, value }: { readonly name: string; readonly value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}

interface DayPanelsProps {
  readonly sensorId: string;
  readonly day: Day;
  readonly label: string;
}

function DayPanels({ sensorId, day, label }: DayPanelsProps) {
  const { from, to, history, activity, sessions, letters, features } = day;
  const { windows, everyMs } = history;
  const length = duration(lengthOf(windows));
  return (
    <>
      <section class="panel" aria-labelledby="windows-title" data-from="api">
        <h2 id="windows-title">{`Windows of ${label}, ${time(from)} to ${time(to)}`}</h2>
        <p class="muted hint">
          {windows.length === 0
            ? "There are none in this time. The API has those of the last 24 hours."
            : everyMs === 0
              ? `All ${amount(windows.length)} windows of ${length}.`
              : `${amount(windows.length)} windows of ${length}: one every ${duration(everyMs)}.`}
        </p>
        <WindowCharts of={sensorId} history={history} from={from} to={to} />
        <h3>Activity</h3>
        <ActivityTimeline stretches={activity.items} from={from} to={to} />
        {activity.isCut && <p class="muted hint">Only the newest of it.</p>}
        <Gaps day={day} />
        <WindowTable windows={windows} />
      </section>
      <section class="panel" aria-labelledby="day-sessions-title">
        <div class="aside-head">
          <h2 id="day-sessions-title">{`Sessions of ${label}`}</h2>
          <a class="target" href={`#/sessions?sensorId=${sensorId}`}>
            All of its sessions
          </a>
        </div>
        <SessionTable sessions={sessions.items.slice(0, LISTED)} label={`List of sessions of ${sensorId}`} />
        {sessions.items.length > LISTED && (
          <p class="muted hint">{`The newest ${LISTED} of ${amount(sessions.items.length)}.`}</p>
        )}
        {sessions.items.length === 0 && <p class="muted hint">None in this time.</p>}
      </section>
      <Letters sensorId={sensorId} letters={letters} />
      <Features features={features} />
    </>
  );
}

/** When nothing was heard: by the windows where all were read, else by the sessions. */
function Gaps({ day: { history, sessions } }: { readonly day: Day }) {
  const isExact = history.everyMs === 0;
  const intervals = isExact
    ? history.windows
    : sessions.items
        .map(({ start, end }) => ({ window: { start, end: end ?? Infinity } }))
        .toSorted((a, b) => a.window.start - b.window.start);
  const gaps = gapsBetween(intervals).reverse();
  return (
    <>
      <h3>{isExact ? "Gaps: times without a window" : "Gaps: times between sessions"}</h3>
      {gaps.length === 0 && <p class="muted hint">None.</p>}
      <ul id="gaps">
        {gaps.slice(0, LISTED).map((gap) => (
          <li key={gap.from}>{`${time(gap.from)} to ${time(gap.to)}, ${duration(gap.to - gap.from)}`}</li>
        ))}
      </ul>
      {gaps.length > LISTED && <p class="muted hint">{`The newest ${LISTED} of ${amount(gaps.length)}.`}</p>}
    </>
  );
}

/** What the charts show of the newest windows, and those that were corrected. */
function WindowTable({ windows }: { readonly windows: History["windows"] }) {
  const revised = windows.filter(({ revision }) => revision > 0);
  return (
    <>
      <h3>Revisions</h3>
      <p id="revisions">
        {revised.length === 0
          ? "No window that is shown was corrected by late readings."
          : `${amount(revised.length)} of ${amount(windows.length)} windows were corrected by late readings, ` +
            `the newest at ${time(revised.at(-1)?.window.start)}.`}
      </p>
      <details>
        <summary>The newest windows, and those that were corrected, as a table</summary>
        <div class="table long" tabIndex={0} role="region" aria-label="Windows">
          <table>
            <thead>
              <tr>
                <th>Start</th>
                <th class="number">Readings</th>
                <th class="number">|a| mean, m/s²</th>
                <th class="number">|a| std, m/s²</th>
                <th class="number">|ω| mean, rad/s</th>
                <th class="number">Revision</th>
                <th>Fired by</th>
                <th>Story</th>
              </tr>
            </thead>
            <tbody id="windows">
              {[...new Set([...windows.slice(-LISTED), ...revised.slice(-LISTED)])]
                .toSorted((a, b) => b.window.start - a.window.start)
                .map(({ id, window, count, channels, revision, cause }) => (
                  <tr key={window.start}>
                    <td>{time(window.start)}</td>
                    <td class="number">{amount(count)}</td>
                    <td class="number">{channels["accMag"]?.mean.toFixed(2)}</td>
                    <td class="number">{channels["accMag"]?.std.toFixed(2)}</td>
                    <td class="number">{channels["gyroMag"]?.mean.toFixed(2)}</td>
                    <td class="number">{revision}</td>
                    <td>{cause}</td>
                    <td>
                      <a
                        class="target"
                        href={storyAddress(id)}
                        aria-label={`Story of the window of ${time(window.start)}`}
                      >
                        Story
                      </a>
                    </td>
                  </tr>
                ))}
            </tbody>
          </table>
        </div>
      </details>
    </>
  );
}

function Letters({ sensorId, letters }: { readonly sensorId: string; readonly letters: List<ListedDeadLetter> }) {
  return (
    <section class="panel" aria-labelledby="day-rejected-title" data-from="api">
      <div class="aside-head">
        <h2 id="day-rejected-title">Rejected messages</h2>
        <a class="target" href={rejectedAddress({ sensorId })}>
          All of them
        </a>
      </div>
      <ul class="letters">
        {letters.items.map(({ id, at, code, message, stage }) => (
          <li key={id}>
            <a href={rejectedAddress({ sensorId }, id)}>
              <span class="at">{time(at)}</span> <span class="code">{code}</span>{" "}
              <span class="about">{`${stage} `}</span>
              <span class="message">{message}</span>
            </a>
          </li>
        ))}
      </ul>
      {letters.items.length === 0 && <p class="muted hint">None.</p>}
      {letters.next !== null && <p class="muted hint">{`The newest ${letters.items.length}.`}</p>}
    </section>
  );
}

function Features({ features }: Pick<Day, "features">) {
  return (
    <section class="panel" aria-labelledby="features-title" data-from="api">
      <h2 id="features-title">{`Features${features ? ` of ${time(features.eventTime)}` : ""}`}</h2>
      {features ? (
        <dl class="window figures">
          {Object.entries(features.features).map(([name, value]) => (
            <Fact key={name} name={name} value={featureText(name, value)} />
          ))}
        </dl>
      ) : (
        <p class="muted hint">The feature store has none of this sensor yet.</p>
      )}
    </section>
  );
}

/** A feature with the unit of its channel. */
function featureText(name: string, value: number | string): string {
  if (typeof value === "string") return value;
  const figure = value.toLocaleString(undefined, { maximumFractionDigits: 4 });
  if (/^a[xyz]_|^acc/i.test(name)) return `${figure} m/s²`;
  if (/^g[xyz]_|^gyro/i.test(name)) return `${figure} rad/s`;
  return figure;
}
