import { Live, loadConfig, request } from "./client.js";
import { Panel } from "./panel.js";
import { showSessions } from "./sessions.js";

const REFRESH_MS = 2_000;
const MAX_PANELS = 4;
/** Latencies and rates cover this much time, in ms. */
const METRICS_MS = 10_000;

/** @param {string} id */
const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/** @type {Map<string, Panel>} */
const panels = new Map();
/**
 * What the WebSocket delivered in the last `METRICS_MS`; `at` in epoch ms, `latency` in ms.
 *
 * @type {{ at: number; readings: number; windows: number; latency: number | null }[]}
 */
let received = [];
/** @type {{ sensorId: string; samples: number }[]} */
let sensors = [];
/** Whether the user has clicked a sensor. Until then the page shows the first two. */
let userHasChosen = false;

const config = await loadConfig();
byId("environment").textContent = config.environment;
const live = new Live(config, onMessage, (connected) => {
  byId("socket").className = `pill ${connected ? "ok" : "down"}`;
});

/** @param {import("./client.js").LiveMessage} message */
function onMessage({ type, data }) {
  const panel = data && panels.get(data.sensorId);
  if (!panel) return;
  const at = Date.now();
  if (type === "samples") {
    panel.samples(data);
    received.push({ at, readings: data.t.length, windows: 0, latency: at - data.t.at(-1) });
  } else if (type === "window") {
    panel.window(data);
    received.push({ at, readings: 0, windows: 1, latency: null });
  } else if (type === "inference") panel.inference(data);
  else if (type === "session" || type === "omitted") void refreshSessions();
  else if (type === "dropped") panel.dropped(data.samples);
}

/** @param {string} sensorId */
function toggle(sensorId) {
  const panel = panels.get(sensorId);
  if (panel) {
    panel.element.remove();
    panels.delete(sensorId);
  } else {
    if (panels.size === MAX_PANELS) return notice(`The page shows at most ${MAX_PANELS} sensors. Remove one first.`);
    const added = new Panel(sensorId);
    panels.set(sensorId, added);
    byId("panels").append(added.element);
  }
  live.subscribe(sensorId, !panel);
  notice("");
  showSensors();
  void refreshSessions();
}

/** @param {string} text */
function notice(text) {
  byId("notice").textContent = text;
  byId("notice").hidden = text === "";
}

function showSensors() {
  const wanted = /** @type {HTMLInputElement} */ (byId("filter")).value.toLowerCase();
  byId("sensor-count").textContent = String(sensors.length);
  byId("sensors").replaceChildren(
    ...sensors.filter(({ sensorId }) => sensorId.toLowerCase().includes(wanted)).map(sensorItem),
  );
}

/** @param {{ sensorId: string; samples: number }} sensor */
function sensorItem({ sensorId, samples }) {
  const button = document.createElement("button");
  button.type = "button";
  button.setAttribute("aria-pressed", String(panels.has(sensorId)));
  const count = document.createElement("span");
  count.textContent = samples > 0 ? samples.toLocaleString() : "";
  button.append(sensorId, count);
  button.addEventListener("click", () => {
    userHasChosen = true;
    toggle(sensorId);
  });
  const item = document.createElement("li");
  item.append(button);
  return item;
}

async function refreshSensors() {
  sensors = (await request(config.restUrl, "/sensors?limit=1000")).items;
  sensors.sort((a, b) => a.sensorId.localeCompare(b.sensorId, undefined, { numeric: true }));
  if (!userHasChosen && panels.size === 0) for (const { sensorId } of sensors.slice(0, 2)) toggle(sensorId);
  if (sensors.length === 0) notice("No sensor has published yet. Start the simulator, or publish to imu/{sensorId}.");
  showSensors();
}

async function refreshSessions() {
  const chosen = [...panels.keys()];
  const queries = chosen.length > 0 ? chosen.map((id) => `&sensorId=${encodeURIComponent(id)}`) : [""];
  const lists = await Promise.all(queries.map((query) => request(config.restUrl, `/sessions?limit=12${query}`)));
  chosen.forEach((id, i) => {
    /** @type {import("./sessions.js").Session[]} */
    const sessions = lists[i].items;
    const newest = sessions.find(({ status }) => status === "ended");
    panels.get(id)?.warnings(newest?.warnings ?? []);
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

async function refreshHealth() {
  const { status, components } = await request(config.restUrl, "/health");
  const pill = byId("health");
  pill.className = `pill ${status}`;
  pill.title = Object.entries(components)
    .map(([name, { status: one, detail }]) => `${name}: ${one}${detail ? ` (${detail})` : ""}`)
    .join("\n");
  const { lag, watermarkLagMs } = components.processor ?? {};
  byId("metric-lag").textContent = lag === undefined ? "–" : lag.toLocaleString();
  byId("metric-watermark").textContent = watermarkLagMs == null ? "–" : `${(watermarkLagMs / 1_000).toFixed(1)} s`;
}

function showMetrics() {
  const now = Date.now();
  received = received.filter(({ at }) => at > now - METRICS_MS);
  const seconds = Math.max(1, (now - (received[0]?.at ?? now)) / 1_000);
  const readings = received.reduce((sum, message) => sum + message.readings, 0);
  const windows = received.reduce((sum, message) => sum + message.windows, 0);
  const latencies = received.flatMap(({ latency }) => (latency === null ? [] : [latency])).sort((a, b) => a - b);
  byId("metric-readings").textContent = Math.round(readings / seconds).toLocaleString();
  byId("metric-windows").textContent = (windows / seconds).toFixed(1);
  byId("metric-p50").textContent = showQuantile(latencies, 0.5);
  byId("metric-p99").textContent = showQuantile(latencies, 0.99);
}

/** @param {number[]} sorted In ms @param {number} q from 0 to 1 */
function showQuantile(sorted, q) {
  const value = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))];
  return value === undefined ? "–" : `${Math.round(value)} ms`;
}

async function refresh() {
  const results = await Promise.allSettled([refreshSensors(), refreshSessions(), refreshHealth()]);
  if (results.some(({ status }) => status === "rejected")) {
    byId("health").className = "pill down";
    byId("health").title = results
      .map((result) => (result.status === "rejected" ? String(result.reason) : ""))
      .filter(Boolean)
      .join("\n");
  }
  setTimeout(() => void refresh(), REFRESH_MS);
}

/** Time between two drawings: smooth enough, and cheap on a machine without a graphics processor. */
const FRAME_MS = 66;
let drawnAt = 0;

/** @param {number} now */
function frame(now) {
  if (now - drawnAt >= FRAME_MS) {
    drawnAt = now;
    for (const panel of panels.values()) panel.draw();
  }
  requestAnimationFrame(frame);
}

byId("filter").addEventListener("input", showSensors);
setInterval(showMetrics, 500);
requestAnimationFrame(frame);
void refresh();
