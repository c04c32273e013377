/** The view of the sensors: live traces of the chosen ones, and their sessions. */

import type { Sensor } from "../domain/api.ts";
import { Choices } from "./choices.ts";
import { isOfSensor, type List, request, type Config, type Live, type LiveMessage } from "./client.ts";
import { byId } from "./dom.ts";
import { amount, time } from "./format.ts";
import { Panel } from "./panel.ts";
import { showSessions, type Session } from "./sessions.ts";
import type { Counted, View } from "./view.ts";

const MAX_PANELS = 4;
/** Sensors that the API lists as active, at most. */
const MOST_LISTED = 200;
/** A sensor that was heard in this time is live: its newest window is a second old. */
const LIVE_MS = 15_000;
const SENSOR_ID_PART = /^[A-Za-z0-9:_-]{1,128}$/;
/** A text is searched for when nothing was typed for so long, in ms. */
const TYPING_MS = 250;
/** Time between two drawings: smooth enough, and cheap on a machine without a graphics processor. */
const FRAME_MS = 66;

export class SensorView implements View {
  readonly component = "processor";
  readonly source = "api";
  #config;
  #live;
  #choices;

  #panels: Map<string, Panel> = new Map();
  /** Those that are heard now first, then the most recently heard. */
  #sensors: Sensor[] = [];
  /** Whether the user has clicked a sensor. Until then the page shows the first two that are heard now. */
  #userHasChosen = false;
  #visible = false;
  #drawnAt = 0;

  #typing: ReturnType<typeof setTimeout> | undefined;

  constructor(config: Config, live: Live) {
    this.#config = config;
    this.#live = live;
    this.#choices = new Choices(byId("sensors"), (sensorId) => {
      this.#userHasChosen = true;
      this.#toggle(sensorId);
    });
    byId("filter").addEventListener("input", () => {
      clearTimeout(this.#typing);
      this.#typing = setTimeout(() => void this.#refreshSensors().catch(() => {}), TYPING_MS);
    });
  }

  show() {
    document.title = "Millrace";
    if (this.#visible) return;
    this.#visible = true;
    for (const sensorId of this.#panels.keys()) this.#live.subscribe({ sensorId }, true);
  }

  hide() {
    this.#visible = false;
    for (const sensorId of this.#panels.keys()) this.#live.subscribe({ sensorId }, false);
  }

  async refresh() {
    await Promise.all([this.#refreshSensors(), this.#refreshSessions()]);
  }

  /** @returns What the header counts. */
  message(message: LiveMessage): Counted | null {
    const panel = isOfSensor(message) ? this.#panels.get(message.data.sensorId) : undefined;
    if (!panel || !isOfSensor(message)) return null;
    const { type, data } = message;
    if (type === "samples") {
      panel.samples(data);
      return { items: data.t.length, windows: 0, latency: Date.now() - (data.t.at(-1) ?? 0) };
    }
    if (type === "window") {
      panel.window(data);
      return { items: 0, windows: 1, latency: null };
    }
    if (type === "inference") panel.inference(data);
    else if (type === "session" || type === "omitted") void this.#refreshSessions();
    else if (type === "dropped") panel.dropped(data.samples);
    else if (type === "rejected") panel.rejected(data);
    return null;
  }

  frame(now: number) {
    if (now - this.#drawnAt < FRAME_MS) return;
    this.#drawnAt = now;
    for (const panel of this.#panels.values()) panel.draw();
  }

  #toggle(sensorId: string) {
    const panel = this.#panels.get(sensorId);
    if (panel) {
      panel.element.remove();
      this.#panels.delete(sensorId);
    } else {
      if (this.#panels.size === MAX_PANELS)
        return notice(`The page shows at most ${MAX_PANELS} sensors. Remove one first.`);
      const added = new Panel(sensorId);
      this.#panels.set(sensorId, added);
      byId("panels").append(added.element);
    }
    this.#live.subscribe({ sensorId }, !panel);
    notice("");
    this.#showSensors();
    void this.#refreshSessions().catch(() => {});
  }

  get #wanted() {
    return (byId("filter") as HTMLInputElement).value.trim();
  }

  #showSensors() {
    const live = this.#sensors.filter(isLive).length;
    const all = `${this.#sensors.length}${this.#sensors.length === MOST_LISTED ? " or more" : ""}`;
    byId("sensor-count").textContent = `${live} live of ${all}`;
    this.#choices.show(
      this.#sensors.map((sensor) => ({
        name: sensor.sensorId,
        note: isLive(sensor) ? "live" : `silent since ${time(sensor.lastSeen)}`,
        title: `${amount(sensor.samples)} readings, ${sensor.rejected} refused, last heard ${time(sensor.lastSeen)}`,
        chosen: this.#panels.has(sensor.sensorId),
      })),
    );
  }

  async #refreshSensors() {
    const wanted = this.#wanted;
    const base = this.#config.restUrl;

    const reading: Promise<List<Sensor>> = request(base, "/sensors?active=true");
    const [{ items: active }, { items: found }] = await Promise.all([
      reading,
      wanted === "" ? reading : this.#find(wanted),
    ]);
    for (const one of [...active, ...found]) this.#panels.get(one.sensorId)?.heard(isLive(one), one.lastSeen);
    if (wanted !== this.#wanted) return;
    this.#sensors = found.toSorted(byHearing);
    if (!this.#userHasChosen && this.#visible && this.#panels.size === 0 && wanted === "")
      for (const { sensorId } of this.#sensors.slice(0, 2)) this.#toggle(sensorId);
    if (active.length === 0) notice("No sensor has published yet. Start the simulator, or publish to imu/{sensorId}.");
    this.#showSensors();
  }

  /** The most recently heard sensors whose id contains a text. */
  async #find(text: string): Promise<List<Sensor>> {
    if (!SENSOR_ID_PART.test(text)) return { items: [], next: null };
    return request(this.#config.restUrl, `/sensors?active=true&q=${encodeURIComponent(text)}`);
  }

  async #refreshSessions() {
    const chosen = [...this.#panels.keys()];
    const queries = chosen.length > 0 ? chosen.map((id) => `&sensorId=${encodeURIComponent(id)}`) : [""];
    const lists = await Promise.all(
      queries.map((query) => request<List<Session>>(this.#config.restUrl, `/sessions?limit=12${query}`)),
    );
    chosen.forEach((id, i) => {
      const newest = lists[i]?.items.find(({ status }) => status === "ended");
      this.#panels.get(id)?.warnings(newest?.warnings ?? []);
    });
    byId("sessions-of").textContent = chosen.length > 0 ? `of ${chosen.join(", ")}` : "of all sensors";
    showSessions(
      byId("sessions"),
      lists
        .flatMap(({ items }) => items)
        .sort((a, b) => b.start - a.start)
        .slice(0, 16),
    );
  }
}

function isLive({ lastSeen }: Sensor) {
  return Date.now() - lastSeen < LIVE_MS;
}

/** Live sensors are sorted by their id, so that they stay in place; the others by when they were last heard. */
function byHearing(a: Sensor, b: Sensor) {
  const byName = a.sensorId.localeCompare(b.sensorId, undefined, { numeric: true });
  if (isLive(a) && isLive(b)) return byName;
  return Number(isLive(b)) - Number(isLive(a)) || b.lastSeen - a.lastSeen || byName;
}

function notice(text: string) {
  byId("notice").textContent = text;
  byId("notice").hidden = text === "";
}
