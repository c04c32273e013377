import { render } from "preact";
import { isOfSensor, type LiveMessage } from "../domain/live-messages.ts";
import { drawActivity } from "./activity-strip.ts";
import { answer, type Api, apiAt, type List, type Sensor } from "./api.ts";
import { type Config, type Live, RequestError } from "./client.ts";
import { byId } from "./dom.ts";
import { amount, time } from "./format.ts";
import { type Group, groupByPrefix } from "./groups.ts";
import { byHearing } from "./hearing.ts";
import { liveAddress } from "./live-address.ts";
import { SPAN_MS } from "./live-chart.ts";
import { LivePanel, type Reading } from "./live-panel.tsx";
import { INSET } from "./plot.ts";
import { CHANNELS } from "./readings.ts";
import { type ListMode, PAGE, SensorList } from "./sensor-list.tsx";
import type { Counted, View } from "./view.ts";
import { WatchedSensor } from "./watched-sensor.ts";
import { ofShortest } from "./window-history.ts";

/** Sensors whose charts are shown, at most. */
const MOST_WATCHED = 12;
/** Sensors that the API lists as active, at most. */
const MOST_ACTIVE = 200;
/** Sensors in a page of the list of all, and pages that are read, at most. */
const ALL = { page: 1_000, pages: 20 } as const;
/** The list of all sensors is read again after this time, in ms. */
const ALL_MS = 60_000;
const SENSOR_ID = /^[A-Za-z0-9:_-]{1,128}$/;
/** A text is searched for when nothing was typed for so long, in ms. */
const TYPING_MS = 250;
/** Time between two drawings of the charts, in ms, and how much sooner a frame of the screen may come to draw them. */
const DRAW_MS = 1_000 / 30;
const EARLY_MS = 4;
/** Time between two changes of the figures beside them, in ms. */
const FIGURES_MS = 250;

/** The view of what sensors send now. */
export class LiveView implements View {
  readonly component = "processor";
  readonly source = "api";
  readonly #api: Api;
  readonly #live;
  readonly #root = byId("live-view");
  #watched: ReadonlyMap<string, WatchedSensor> = new Map();
  /** Whether an address or the reader has chosen sensors. Until then the first two that are heard now are shown. */
  #isChosen = false;
  #isVisible = false;
  #notice = "";
  #wanted = "";
  #mode: ListMode = "heard";
  #page = 0;
  /** Those that were heard last, of the search, in order. */
  #heard: readonly Sensor[] = [];
  #all: ReadonlyMap<string, Sensor> = new Map();
  #groups: readonly Group[] = [];
  #opened: ReadonlySet<string> = new Set();
  #allReadAt = -Infinity;
  #isReadingAll = false;
  /** Since when nothing moves, epoch ms; null where it does. */
  #pausedAt: number | null = null;
  /** The time that is pointed at, epoch ms. */
  #pointedAt: number | null = null;
  /** When the charts are to be drawn next, on the page's clock. */
  #drawAt = 0;
  #renderedAt = 0;
  #typing: ReturnType<typeof setTimeout> | undefined;

  constructor(config: Config, live: Live) {
    this.#api = apiAt(config.restUrl);
    this.#live = live;
  }

  /** @param query `sensors`: ids, separated by commas. */
  show(_name: string, query: URLSearchParams): void {
    const isNew = !this.#isVisible;
    this.#isVisible = true;
    document.title = "Live · Millrace";
    const sensors = query.get("sensors");
    if (sensors !== null) {
      this.#isChosen = true;
      this.#watch(sensors.split(",").filter((id) => SENSOR_ID.test(id)));
    }
    if (isNew) for (const sensorId of this.#watched.keys()) this.#live.subscribe({ sensorId }, true);
    this.#writeAddress();
    this.#render();
  }

  hide(): void {
    this.#isVisible = false;
    for (const sensorId of this.#watched.keys()) this.#live.subscribe({ sensorId }, false);
  }

  async refresh(): Promise<void> {
    await Promise.all([this.#readHeard(), this.#readAll(), this.#readWarnings()]);
    this.#render();
  }

  async reload(): Promise<void> {
    await Promise.all([...this.#watched.values()].map((watched) => this.#fill(watched)));
  }

  message(message: LiveMessage): Counted | null {
    if (!isOfSensor(message)) return null;
    const watched = this.#watched.get(message.data.sensorId);
    if (!watched) return null;
    const { type, data } = message;
    if (type === "samples") {
      watched.samples(data);
      return { items: data.t.length, windows: 0, latency: Date.now() - (data.t.at(-1) ?? 0) };
    }
    if (type === "window") {
      watched.newWindow(data);
      return { items: 0, windows: 1, latency: null };
    }
    if (type === "inference") watched.inference(data);
    else if (type === "dropped") watched.skipped = data.samples;
    else if (type === "gap") void this.#fill(watched).catch(() => {});
    else if (type === "rejected") {
      watched.rejection = data;
      watched.refused++;
      this.#render();
    } else if (type === "session") void this.#readWarnings().catch(() => {});
    return null;
  }

  frame(now: number): void {
    if (now < this.#drawAt - EARLY_MS) return;
    // A frame that comes late does not delay the next one, so that there are thirty a second on a busy machine, too.
    this.#drawAt = Math.max(this.#drawAt + DRAW_MS, now);
    if (this.#pausedAt === null)
      for (const watched of this.#watched.values()) {
        const right = watched.right(now);
        const view = watched.readings.view();
        for (const chart of watched.charts) {
          chart.draw(view, right);
          if (this.#pointedAt !== null) chart.point(this.#pointedAt);
        }
      }
    if (now - this.#renderedAt > FIGURES_MS) this.#render();
  }

  #render(): void {
    if (!this.#isVisible) return;
    this.#renderedAt = performance.now();
    render(
      <>
        <SensorList
          mode={this.#mode}
          wanted={this.#wanted}
          heard={this.#heard}
          isCut={this.#heard.length === MOST_ACTIVE}
          page={Math.min(this.#page, Math.max(0, Math.ceil(this.#heard.length / PAGE) - 1))}
          groups={this.#groups}
          all={this.#all}
          isReading={this.#isReadingAll}
          chosen={new Set(this.#watched.keys())}
          opened={this.#opened}
          onSearch={(text) => this.#search(text)}
          onMode={(mode) => this.#change(() => (this.#mode = mode))}
          onPage={(page) => this.#change(() => (this.#page = page))}
          onToggle={(sensorId) => this.#toggle(sensorId)}
          onOpen={(prefix, isOpen) =>
            this.#change(() => {
              const opened = new Set(this.#opened);
              if (isOpen) opened.add(prefix);
              else opened.delete(prefix);
              this.#opened = opened;
            })
          }
        />
        <section class="content">
          <h1 class="unseen">Live</h1>
          <p id="notice" class="notice" role="status" hidden={this.#notice === ""}>
            {this.#notice}
          </p>
          {this.#watched.size > 0 && this.#controls()}
          <div id="panels" class="panels" data-from="live">
            {[...this.#watched.values()].map((watched) => (
              <LivePanel
                key={watched.sensorId}
                watched={watched}
                reading={this.#readingOf(watched)}
                onRemove={() => this.#toggle(watched.sensorId)}
                onHover={(at) => this.#point(at)}
              />
            ))}
          </div>
        </section>
      </>,
      this.#root,
    );
    this.#drawStrips();
  }

  /** Stops and continues the charts; while they stand still, a slider reads them. */
  #controls() {
    const paused = this.#pausedAt;
    return (
      <div class="controls">
        <button type="button" aria-pressed={paused !== null} onClick={() => this.#pause()}>
          {paused === null ? "Pause" : "Continue"}
        </button>
        {paused === null ? (
          <span class="muted">{`The last ${SPAN_MS / 1_000} s. Point at a chart to read its values.`}</span>
        ) : (
          <label class="scrub">
            {`Stopped at ${time(paused)}, read at`}
            <input
              type="range"
              min={paused - SPAN_MS}
              max={paused}
              step={10}
              value={this.#pointedAt ?? paused}
              aria-valuetext={time(this.#pointedAt ?? paused)}
              onInput={({ currentTarget }) => this.#point(Number(currentTarget.value))}
            />
            <output>{new Date(this.#pointedAt ?? paused).toISOString().slice(11, 23)} UTC</output>
          </label>
        )}
      </div>
    );
  }

  #drawStrips(): void {
    if (this.#pausedAt !== null) return;
    const now = performance.now();
    for (const watched of this.#watched.values()) {
      if (!watched.strip) continue;
      const to = watched.right(now);
      drawActivity(watched.strip, watched.activities, { from: to - SPAN_MS, to }, INSET);
    }
  }

  #pause(): void {
    this.#change(() => {
      this.#pausedAt = this.#pausedAt === null ? Date.now() : null;
      this.#pointedAt = null;
      for (const watched of this.#watched.values()) watched.freeze(this.#pausedAt !== null);
    });
  }

  /** Reads all charts at a time, epoch ms; null for the newest. */
  #point(at: number | null): void {
    if (at === this.#pointedAt) return;
    this.#pointedAt = at;
    for (const watched of this.#watched.values()) for (const chart of watched.charts) chart.point(at);
    this.#render();
  }

  #readingOf(watched: WatchedSensor): Reading | null {
    const { t, columns } = watched.shown();
    const at = this.#pointedAt ?? this.#pausedAt ?? Infinity;
    let i = t.length - 1;
    while (i > 0 && t[i]! > at) i--;
    if (i < 0) return null;
    return { time: t[i]!, values: Object.fromEntries(CHANNELS.map((name, column) => [name, columns[column]![i]!])) };
  }

  #change(change: () => void): void {
    change();
    if (this.#mode === "all") void this.#readAll().catch(() => {});
    this.#render();
  }

  #toggle(sensorId: string): void {
    const ids = [...this.#watched.keys()];
    const isWatched = this.#watched.has(sensorId);
    this.#isChosen = true;
    this.#notice = "";
    if (!isWatched && ids.length === MOST_WATCHED)
      this.#notice = `The page shows at most ${MOST_WATCHED} sensors. Remove one first.`;
    else this.#watch(isWatched ? ids.filter((id) => id !== sensorId) : [...ids, sensorId]);
    this.#writeAddress();
    this.#render();
  }

  /** Shows these sensors and no others. */
  #watch(sensorIds: readonly string[]): void {
    const wanted = new Set(sensorIds.slice(0, MOST_WATCHED));
    for (const sensorId of this.#watched.keys()) if (!wanted.has(sensorId)) this.#live.subscribe({ sensorId }, false);
    this.#watched = new Map(
      [...wanted].map((sensorId) => {
        const known = this.#watched.get(sensorId);
        if (known) return [sensorId, known];
        const watched = new WatchedSensor(sensorId);
        const sensor = this.#heard.find((one) => one.sensorId === sensorId) ?? this.#all.get(sensorId);
        if (sensor) watched.heard(sensor);
        this.#live.subscribe({ sensorId }, true);
        void this.#fill(watched).catch(() => {});
        return [sensorId, watched];
      }),
    );
    void this.#readWarnings().catch(() => {});
  }

  /** The address has the chosen sensors, so that it can be shared. */
  #writeAddress(): void {
    if (this.#isChosen && location.hash !== liveAddress(this.#watched.keys()))
      history.replaceState(null, "", liveAddress(this.#watched.keys()));
  }

  /** Fills the charts with what was before. */
  async #fill(watched: WatchedSensor): Promise<void> {
    const { sensorId } = watched;
    const params = { path: { sensorId }, query: { from: String(Date.now() - SPAN_MS), limit: 1_000 } };
    const [windows, activity] = await Promise.allSettled([
      answer(this.#api.GET("/sensors/{sensorId}/windows", { params })),
      answer(this.#api.GET("/sensors/{sensorId}/activity", { params })),
    ]);
    if (windows.status === "fulfilled") watched.fillWindows(ofShortest(windows.value.items));
    if (activity.status === "fulfilled") watched.fillActivity(activity.value.items);
    const [failure] = [windows, activity].flatMap((one) => (one.status === "rejected" ? [one.reason as unknown] : []));
    // A sensor that has not been heard yet is not there yet.
    if (failure !== undefined && !(failure instanceof RequestError && failure.status === 404)) throw failure;
    this.#render();
  }

  #search(text: string): void {
    this.#wanted = text.trim();
    this.#page = 0;
    this.#regroup();
    clearTimeout(this.#typing);
    this.#typing = setTimeout(
      () =>
        void this.#readHeard().then(
          () => this.#render(),
          () => {},
        ),
      TYPING_MS,
    );
    this.#render();
  }

  async #readHeard(): Promise<void> {
    const wanted = this.#wanted;
    const [active, found] = await Promise.all([
      answer(this.#api.GET("/sensors", { params: { query: { active: "true" } } })),
      wanted === "" ? null : this.#find(wanted),
    ]);
    for (const one of active.items) this.#watched.get(one.sensorId)?.heard(one);
    if (wanted !== this.#wanted) return;
    if (active.items.length === 0 && this.#notice === "")
      this.#notice = "No sensor has published yet. Start the simulator, or publish to imu/{sensorId}.";
    else if (active.items.length > 0 && this.#notice.startsWith("No sensor")) this.#notice = "";
    this.#heard = this.#inOrder((found ?? active).items.toSorted(byHearing));
    if (this.#all.size > 0)
      this.#all = new Map([...this.#all, ...active.items.map((one) => [one.sensorId, one] as const)]);
    if (this.#isChosen || !this.#isVisible || wanted !== "" || active.items.length === 0) return;
    this.#isChosen = true;
    this.#watch(this.#heard.slice(0, 2).map(({ sensorId }) => sensorId));
    this.#writeAddress();
  }

  /** Under the pointer and the keyboard's focus the order stays as it is. */
  #inOrder(sensors: readonly Sensor[]): readonly Sensor[] {
    const list = this.#root.querySelector(".choices");
    if (!list?.matches(":hover, :has(:focus-visible)")) return sensors;
    const byName = new Map(sensors.map((one) => [one.sensorId, one]));
    const kept = this.#heard.flatMap(({ sensorId }) => byName.get(sensorId) ?? []);
    const known = new Set(kept.map(({ sensorId }) => sensorId));
    return [...kept, ...sensors.filter(({ sensorId }) => !known.has(sensorId))];
  }

  /** The most recently heard sensors whose id contains a text. */
  async #find(text: string): Promise<List<Sensor>> {
    if (!SENSOR_ID.test(text)) return { items: [], next: null };
    return answer(this.#api.GET("/sensors", { params: { query: { active: "true", q: text } } }));
  }

  /** Reads all sensors, page by page, where the list shows them. */
  async #readAll(): Promise<void> {
    const now = performance.now();
    if (this.#mode !== "all" || this.#isReadingAll || now - this.#allReadAt < ALL_MS) return;
    this.#isReadingAll = true;
    try {
      const all = new Map<string, Sensor>();
      let cursor: string | null = "";
      for (let i = 0; i < ALL.pages && cursor !== null; i++) {
        const query = { limit: ALL.page, ...(cursor === "" ? {} : { cursor }) };
        const page: List<Sensor> = await answer(this.#api.GET("/sensors", { params: { query } }));
        for (const one of page.items) all.set(one.sensorId, one);
        cursor = page.next;
        if (all.size > this.#all.size) this.#all = new Map(all);
        this.#regroup();
        this.#render();
      }
      if (cursor !== null) this.#notice = `The list has the newest ${amount(all.size)} sensors. Search for others.`;
      this.#all = all;
      this.#allReadAt = now;
    } finally {
      this.#isReadingAll = false;
    }
    this.#regroup();
  }

  #regroup(): void {
    this.#groups = groupByPrefix([...this.#all.keys()].filter((id) => id.includes(this.#wanted)));
  }

  async #readWarnings(): Promise<void> {
    await Promise.all(
      [...this.#watched.values()].map(async (watched) => {
        const query = { sensorId: watched.sensorId, status: "ended", limit: 1 } as const;
        const { items } = await answer(this.#api.GET("/sessions", { params: { query } }));
        watched.warnings = items[0]?.warnings ?? [];
      }),
    );
  }
}
