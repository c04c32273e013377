import { Live, loadConfig, request, RequestError } from "./client.js";
import { Losses, retryDelay } from "./losses.js";
import { MarketView } from "./market.js";
import { OperationsView } from "./operations.js";
import { RejectedView } from "./rejected.js";
import { SensorView } from "./sensors.js";
import { StoryView } from "./story.js";

const REFRESH_MS = 2_000;
/** Latencies and rates cover this much time, in ms. */
const METRICS_MS = 10_000;

/** The component of `GET /health` that each view is about. */
const PROCESSORS = {
  sensors: "processor",
  market: "market-processor",
  operations: "processor",
  rejected: "processor",
  story: "processor",
};

/** @param {string} id */
const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/**
 * What the WebSocket delivered in the last `METRICS_MS`; `at` in epoch ms, `latency` in ms.
 *
 * @type {{ at: number; items: number; windows: number; latency: number | null }[]}
 */
let received = [];
const losses = new Losses();
/** Refreshes that failed in a row. */
let failed = 0;
/** Whether the environment runs the market; null while nobody knows. @type {boolean | null} */
let marketRuns = null;
/** Whether there was a connection before: what came meanwhile is missing then. */
let wasConnected = false;

const config = await loadConfig();
byId("environment").textContent = config.environment;
const live = new Live(config, onMessage, onConnection);
const views = {
  sensors: new SensorView(config, live),
  market: new MarketView(config, live),
  operations: new OperationsView(),
  rejected: new RejectedView(config),
  story: new StoryView(config),
};
byId("operations-link").hidden = !config.operations;
/** @type {keyof typeof views | null} */
let shown = null;

/** @param {boolean} connected @param {{ reason: string; retryMs: number }} [loss] */
function onConnection(connected, loss) {
  byId("socket").className = `pill ${connected ? "ok" : "down"}`;
  if (loss) losses.lost("live", loss.reason, loss.retryMs);
  else losses.found("live");
  if (connected && wasConnected && shown) void views[shown].reload();
  wasConnected ||= connected;
}

/** @param {import("./client.js").LiveMessage} message */
function onMessage(message) {
  const counted = shown && views[shown].message(message);
  if (counted) received.push({ at: Date.now(), ...counted });
}

/**
 * Shows the view of the page's address: `#/market/{symbol}?operator=…`, `#/operations/{dashboard}`,
 * `#/rejected/{letterId}?sensorId=…&code=…`, `#/story/{name}`, or the sensors.
 */
function route() {
  const [path = "", query] = location.hash.replace(/^#\/?/, "").split("?");
  const [view = "", name = ""] = path.split("/");
  const isOther = ["market", "rejected", "story"].includes(view) || (view === "operations" && config.operations);
  const wanted = isOther ? /** @type {keyof typeof views} */ (view) : "sensors";
  const changed = shown !== wanted;
  if (changed) {
    if (shown) views[shown].hide();
    received = [];
    shown = wanted;
    for (const one of Object.keys(views)) byId(`${one}-view`).hidden = one !== wanted;
    document.body.dataset.view = wanted;
    for (const link of document.querySelectorAll("nav a"))
      if (link.id === `${wanted}-link`) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
  }
  if (wanted === "operations") views.operations.show(decoded(name));
  else if (wanted === "market") views.market.show(decoded(name), new URLSearchParams(query).get("operator"));
  else if (wanted === "rejected") views.rejected.show(decoded(name), new URLSearchParams(query));
  else if (wanted === "story") views.story.show(decoded(name));
  else views.sensors.show();
  if (changed || wanted === "operations" || wanted === "rejected" || wanted === "story")
    void Promise.allSettled([refreshHealth(), refreshView()]);
}

/** @param {string} text */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Shows the market's link where the API has the market. */
async function refreshMarketLink() {
  if (marketRuns !== null) return;
  const { links } = await request(config.restUrl, "/");
  marketRuns = "symbols" in links;
  byId("market-link").hidden = !marketRuns;
  byId("market-absent").hidden = marketRuns;
}

async function refreshView() {
  await refreshMarketLink();
  if (shown !== "market" || marketRuns) await views[shown ?? "sensors"].refresh();
}

async function refreshHealth() {
  const { status, components } = await request(config.restUrl, "/health");
  const pill = byId("health");
  pill.className = `pill ${status}`;
  pill.title = Object.entries(components)
    .map(([name, { status: one, detail }]) => `${name}: ${one}${detail ? ` (${detail})` : ""}`)
    .join("\n");
  const { lag, watermarkLagMs } = components[PROCESSORS[shown ?? "sensors"]] ?? {};
  byId("metric-lag").textContent = lag === undefined ? "–" : lag.toLocaleString();
  byId("metric-watermark").textContent = watermarkLagMs == null ? "–" : `${(watermarkLagMs / 1_000).toFixed(1)} s`;
}

function showMetrics() {
  const now = Date.now();
  received = received.filter(({ at }) => at > now - METRICS_MS);
  const seconds = Math.max(1, (now - (received[0]?.at ?? now)) / 1_000);
  const items = received.reduce((sum, message) => sum + message.items, 0);
  const windows = received.reduce((sum, message) => sum + message.windows, 0);
  const latencies = received.flatMap(({ latency }) => (latency === null ? [] : [latency])).sort((a, b) => a - b);
  byId("metric-items").textContent = Math.round(items / seconds).toLocaleString();
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
  const results = await Promise.allSettled([refreshHealth(), refreshView()]);
  const [health, view] = results;
  const failures = results.flatMap((result) => (result.status === "rejected" ? [result.reason] : []));
  failed = failures.length > 0 ? failed + 1 : 0;
  const delay = failed > 0 ? retryDelay(failed) : REFRESH_MS;
  // The view of operations has its figures from npm start, all others from the API.
  const isOfApi = health.status === "rejected" || (view.status === "rejected" && shown !== "operations");
  if (isOfApi) {
    byId("health").className = "pill down";
    byId("health").title = failures.join("\n");
    losses.lost("api", reasonOf(failures[0]), delay);
  } else losses.found("api");
  if (failures.length > 0 && !isOfApi) losses.lost("status", reasonOf(failures[0]), delay);
  else losses.found("status");
  setTimeout(() => void refresh(), delay);
}

/** @param {unknown} error */
function reasonOf(error) {
  return error instanceof RequestError ? `it answers ${error.message}` : "there is no connection to it";
}

/** @param {number} now */
function frame(now) {
  if (shown) views[shown].frame(now);
  requestAnimationFrame(frame);
}

window.addEventListener("hashchange", route);
route();
setInterval(showMetrics, 500);
requestAnimationFrame(frame);
void refresh();
