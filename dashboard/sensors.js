/** The view of the sensors: live traces of the chosen ones, and their sessions. */
import { Choices } from "./choices.js";
import { request } from "./client.js";
import { Panel } from "./panel.js";
import { showSessions } from "./sessions.js";

const MAX_PANELS = 4;
/** Time between two drawings: smooth enough, and cheap on a machine without a graphics processor. */
const FRAME_MS = 66;

/** @param {string} id */
const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

export class SensorView {
  #config;
  #live;
  #choices;
  /** @type {Map<string, Panel>} */
  #panels = new Map();
  /** @type {{ sensorId: string; samples: number }[]} */
  #sensors = [];
  /** Whether the user has clicked a sensor. Until then the page shows the first two. */
  #userHasChosen = false;
  #visible = false;
  #drawnAt = 0;

  /** @param {import("./client.js").Config} config @param {import("./client.js").Live} live */
  constructor(config, live) {
    this.#config = config;
    this.#live = live;
    this.#choices = new Choices(byId("sensors"), (sensorId) => {
      this.#userHasChosen = true;
      this.#toggle(sensorId);
    });
    byId("filter").addEventListener("input", () => this.#showSensors());
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

  #showSensors() {
    const wanted = /** @type {HTMLInputElement} */ (byId("filter")).value.toLowerCase();
    byId("sensor-count").textContent = String(this.#sensors.length);
    this.#choices.show(
      this.#sensors
        .filter(({ sensorId }) => sensorId.toLowerCase().includes(wanted))
        .map(({ sensorId, samples }) => ({
          name: sensorId,
          note: samples > 0 ? samples.toLocaleString() : "",
          chosen: this.#panels.has(sensorId),
        })),
    );
  }

  async #refreshSensors() {
    /** @type {{ sensorId: string; samples: number }[]} */
    const sensors = (await request(this.#config.restUrl, "/sensors?limit=1000")).items;
    this.#sensors = sensors.sort((a, b) => a.sensorId.localeCompare(b.sensorId, undefined, { numeric: true }));
    if (!this.#userHasChosen && this.#visible && this.#panels.size === 0)
      for (const { sensorId } of sensors.slice(0, 2)) this.#toggle(sensorId);
    if (sensors.length === 0) notice("No sensor has published yet. Start the simulator, or publish to imu/{sensorId}.");
    this.#showSensors();
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

/** @param {string} text */
function notice(text) {
  byId("notice").textContent = text;
  byId("notice").hidden = text === "";
}
