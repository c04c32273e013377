import { Live, loadConfig, request } from "./client.js";
import { time } from "./format.js";
import { MarketView } from "./market.js";
import { OperationsView } from "./operations.js";
import { SensorView } from "./sensors.js";

const REFRESH_MS = 2_000;
/** Latencies and rates cover this much time, in ms. */
const METRICS_MS = 10_000;

/** The component of `GET /health` that each view is about. */
const PROCESSORS = { sensors: "processor", market: "market-processor", operations: "processor" };

/** @param {string} id */
const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/**
 * What the WebSocket delivered in the last `METRICS_MS`; `at` in epoch ms, `latency` in ms.
 *
 * @type {{ at: number; items: number; windows: number; latency: number | null }[]}
 */
let received = [];
/**
 * Since when each end has been lost, epoch ms; null while it is there.
 *
 * @type {Record<"api" | "live", number | null>}
 */
const lostSince = { api: null, live: null };
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
};
byId("operations-link").hidden = !config.operations;
/** @type {keyof typeof views | null} */
let shown = null;

/** Greys what comes from an end that is lost, and says since when. @param {"api" | "live"} end @param {boolean} lost */
function showLoss(end, lost) {
  if (lost) lostSince[end] ??= Date.now();
  else lostSince[end] = null;
  document.body.classList.toggle(`${end}-down`, lost);
  const losses = [
    lostSince.api === null ? "" : `The API has not answered since ${time(lostSince.api)}.`,
    lostSince.live === null ? "" : `The live feed has been cut since ${time(lostSince.live)}.`,
  ].filter(Boolean);
  byId("loss").hidden = losses.length === 0;
  const text = `${losses.join(" ")} What is grey is old. The page tries again by itself.`;
  if (losses.length > 0 && byId("loss").textContent !== text) byId("loss").textContent = text;
}

/** @param {boolean} connected */
function onConnection(connected) {
  byId("socket").className = `pill ${connected ? "ok" : "down"}`;
  showLoss("live", !connected);
  if (connected && wasConnected && shown) void views[shown].reload();
  wasConnected ||= connected;
}

/** @param {import("./client.js").LiveMessage} message */
function onMessage(message) {
  const counted = shown && views[shown].message(message);
  if (counted) received.push({ at: Date.now(), ...counted });
}

/** Shows the view of the page's address: `#/market/{symbol}?operator=…`, `#/operations/{dashboard}`, or the sensors. */
function route() {
  const [path = "", query] = location.hash.replace(/^#\/?/, "").split("?");
  const [view = "", name = ""] = path.split("/");
  const wanted = view === "market" || (view === "operations" && config.operations) ? view : "sensors";
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
  else views.sensors.show();
  if (changed || wanted === "operations") void Promise.allSettled([refreshHealth(), refreshView()]);
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
  const failures = results.flatMap((result) => (result.status === "rejected" ? [String(result.reason)] : []));
  if (failures.length > 0) {
    byId("health").className = "pill down";
    byId("health").title = failures.join("\n");
  }
  showLoss("api", failures.length > 0);
  setTimeout(() => void refresh(), REFRESH_MS);
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
