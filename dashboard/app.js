import { Live, loadConfig, request } from "./client.js";
import { Panel } from "./panel.js";
import { showSessions } from "./sessions.js";

const REFRESH_MS = 2_000;
const MOST_CHOSEN = 4;
/** Latencies and counts are those of the last ten seconds. */
const FIGURES_MS = 10_000;

/** @param {string} id */
const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/** @type {Map<string, Panel>} */
const panels = new Map();
/** @type {{ at: number; readings: number; windows: number; latency: number | null }[]} */
let seen = [];
/** @type {{ sensorId: string; samples: number }[]} */
let sensors = [];
/** Whether somebody has chosen: until then the first sensors choose themselves. */
let hasChosen = false;

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
    seen.push({ at, readings: data.t.length, windows: 0, latency: at - data.t.at(-1) });
  } else if (type === "window") {
    panel.window(data);
    seen.push({ at, readings: 0, windows: 1, latency: null });
  } else if (type === "inference") panel.inference(data);
  else if (type === "session") void refreshSessions();
  else if (type === "dropped") panel.dropped(data.samples);
}

/** @param {string} sensorId */
function toggle(sensorId) {
  const panel = panels.get(sensorId);
  if (panel) {
    panel.element.remove();
    panels.delete(sensorId);
  } else {
    if (panels.size === MOST_CHOSEN) return notice(`Four sensors are shown already: take one away first.`);
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
    ...sensors
      .filter(({ sensorId }) => sensorId.toLowerCase().includes(wanted))
      .map(({ sensorId, samples }) => {
        const button = document.createElement("button");
        button.type = "button";
        button.setAttribute("aria-pressed", String(panels.has(sensorId)));
        const count = document.createElement("span");
        count.textContent = samples > 0 ? samples.toLocaleString() : "";
        button.append(sensorId, count);
        button.addEventListener("click", () => {
          hasChosen = true;
          toggle(sensorId);
        });
        const item = document.createElement("li");
        item.append(button);
        return item;
      }),
  );
}

async function refreshSensors() {
  sensors = (await request(config.restUrl, "/sensors?limit=1000")).items;
  sensors.sort((a, b) => a.sensorId.localeCompare(b.sensorId, undefined, { numeric: true }));
  if (!hasChosen && panels.size === 0) for (const { sensorId } of sensors.slice(0, 2)) toggle(sensorId);
  if (sensors.length === 0) notice("No sensor has been seen yet. Start the simulator, or publish to imu/{sensorId}.");
  showSensors();
}

async function refreshSessions() {
  const chosen = [...panels.keys()];
  const lists = await Promise.all(
    (chosen.length > 0 ? chosen.map((id) => `&sensorId=${encodeURIComponent(id)}`) : [""]).map((query) =>
      request(config.restUrl, `/sessions?limit=12${query}`),
    ),
  );
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
  byId("figure-lag").textContent = lag === undefined ? "–" : lag.toLocaleString();
  byId("figure-watermark").textContent = watermarkLagMs == null ? "–" : `${(watermarkLagMs / 1_000).toFixed(1)} s`;
}

function showFigures() {
  const now = Date.now();
  seen = seen.filter(({ at }) => at > now - FIGURES_MS);
  const span = Math.max(1, (now - (seen[0]?.at ?? now)) / 1_000);
  const latencies = seen.flatMap(({ latency }) => (latency === null ? [] : [latency])).sort((a, b) => a - b);
  /** @param {number} q */
  const quantile = (q) =>
    latencies.length === 0
      ? "–"
      : `${Math.round(latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * q))] ?? 0)} ms`;
  byId("figure-readings").textContent = Math.round(
    seen.reduce((sum, { readings }) => sum + readings, 0) / span,
  ).toLocaleString();
  byId("figure-windows").textContent = (seen.reduce((sum, { windows }) => sum + windows, 0) / span).toFixed(1);
  byId("figure-p50").textContent = quantile(0.5);
  byId("figure-p99").textContent = quantile(0.99);
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

/** Traces are drawn this often: smooth enough, and light on a machine that draws without a graphics processor. */
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
setInterval(showFigures, 500);
requestAnimationFrame(frame);
void refresh();
