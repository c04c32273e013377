/** The view of the sensors: live traces of the chosen ones, and their sessions. */
import { Choices } from "./choices.js";
import { request } from "./client.js";
import { amount, time } from "./format.js";
import { Panel } from "./panel.js";
import { showSessions } from "./sessions.js";

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

/** @param {string} id */
const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/** @typedef {import("../domain/api.ts").Sensor} Sensor */

export class SensorView {
  #config;
  #live;
  #choices;
  /** @type {Map<string, Panel>} */
  #panels = new Map();
  /** Those that are heard now first, then the most recently heard. @type {Sensor[]} */
  #sensors = [];
  /** Whether the user has clicked a sensor. Until then the page shows the first two that are heard now. */
  #userHasChosen = false;
  #visible = false;
  #drawnAt = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #typing;

  /** @param {import("./client.js").Config} config @param {import("./client.js").Live} live */
  constructor(config, live) {
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

  /** Nothing of this view is filled from the API after a time without the live feed. */
  async reload() {}

  /**
   * @param {import("./client.js").LiveMessage} message
   * @returns {{ items: number; windows: number; latency: number | null } | null} What the header counts.
   */
  message({ type, data }) {
    const panel = data && this.#panels.get(data.sensorId);
    if (!panel) return null;
    if (type === "samples") {
      panel.samples(data);
      return { items: data.t.length, windows: 0, latency: Date.now() - data.t.at(-1) };
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

  /** @param {number} now */
  frame(now) {
    if (now - this.#drawnAt < FRAME_MS) return;
    this.#drawnAt = now;
    for (const panel of this.#panels.values()) panel.draw();
  }

  /** @param {string} sensorId */
  #toggle(sensorId) {
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
    return /** @type {HTMLInputElement} */ (byId("filter")).value.trim();
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
    /** @type {Promise<{ items: Sensor[] }>} */
    const reading = request(base, "/sensors?active=true");
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

  /**
   * The most recently heard sensors whose id contains a text. @param {string} text @returns {Promise<{ items: Sensor[]
   * }>}
   */
  async #find(text) {
    if (!SENSOR_ID_PART.test(text)) return { items: [] };
    return request(this.#config.restUrl, `/sensors?active=true&q=${encodeURIComponent(text)}`);
  }

  async #refreshSessions() {
    const chosen = [...this.#panels.keys()];
    const queries = chosen.length > 0 ? chosen.map((id) => `&sensorId=${encodeURIComponent(id)}`) : [""];
    const lists = await Promise.all(
      queries.map((query) => request(this.#config.restUrl, `/sessions?limit=12${query}`)),
    );
    chosen.forEach((id, i) => {
      /** @type {import("./sessions.js").Session[]} */
      const sessions = lists[i].items;
      const newest = sessions.find(({ status }) => status === "ended");
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

/** @param {Sensor} sensor */
function isLive({ lastSeen }) {
  return Date.now() - lastSeen < LIVE_MS;
}

/**
 * Live sensors are sorted by their id, so that they stay in place; the others by when they were last heard.
 *
 * @param {Sensor} a
 * @param {Sensor} b
 */
function byHearing(a, b) {
  const byName = a.sensorId.localeCompare(b.sensorId, undefined, { numeric: true });
  if (isLive(a) && isLive(b)) return byName;
  return Number(isLive(b)) - Number(isLive(a)) || b.lastSeen - a.lastSeen || byName;
}

/** @param {string} text */
function notice(text) {
  byId("notice").textContent = text;
  byId("notice").hidden = text === "";
}
