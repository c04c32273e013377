import "./language.ts";
import { type LiveMessage } from "../domain/live-messages.ts";
import { answer, apiAt, type Health } from "./api.ts";
import { authorizeBy, type Config, Live, loadConfig, RequestError } from "./client.ts";
import { byId } from "./dom.ts";
import { LiveView } from "./live-view.tsx";
import { Losses, retryDelay } from "./losses.ts";
import { MarketView } from "./market.ts";
import { OperationsView } from "./operations.ts";
import { PipelineView } from "./pipeline.tsx";
import { isUnheard, PublishView } from "./publish.tsx";
import { RejectedView } from "./rejected.ts";
import { SensorView } from "./sensor-view.tsx";
import type { Session } from "./session.ts";
import { SessionsView } from "./sessions-view.tsx";
import { SignIn } from "./sign-in.ts";
import { StoryView } from "./story.ts";
import type { Counted, View } from "./view.ts";

const REFRESH_MS = 2_000;
/** Latencies and rates cover this much time, in ms. */
const METRICS_MS = 10_000;

/** What the WebSocket delivered in the last `METRICS_MS`; `at` in epoch ms. */
let received: (Counted & { readonly at: number })[] = [];
const losses = new Losses();
/** Refreshes that failed in a row. */
let failed = 0;
/** Whether the environment runs the market; null while nobody knows. */
let marketRuns: boolean | null = null;
/** Whether there was a connection before: what came meanwhile is missing then. */
let wasConnected = false;

const config = await signedIn(await loadConfig());
const api = apiAt(config.restUrl);
const live = new Live(config, onMessage, onConnection);
/** By the first part of an address: `#/<name>/…`. Where it names none, the first is shown. */
const views: ReadonlyMap<string, View> = new Map<string, View>([
  ["live", new LiveView(config, live)],
  ["sensor", new SensorView(config)],
  ["sessions", new SessionsView(config)],
  ["market", new MarketView(config, live)],
  ["rejected", new RejectedView(config)],
  ["story", new StoryView(config)],
  ["publish", new PublishView(config, live)],
  ...(config.operations
    ? ([
        ["operations", new OperationsView()],
        ["pipeline", new PipelineView()],
      ] as const)
    : []),
]);
for (const name of ["operations", "pipeline"]) byId(`${name}-link`).hidden = !config.operations;

let shown: View | null = null;

function onConnection(connected: boolean, loss?: { reason: string; retryMs: number }): void {
  byId("socket").className = `pill ${connected ? "ok" : "down"}`;
  if (loss) losses.lost("live", loss.reason, loss.retryMs);
  else losses.found("live");
  if (connected && wasConnected) void shown?.reload?.();
  wasConnected ||= connected;
}

function onMessage(message: LiveMessage): void {
  const counted = shown?.message?.(message);
  if (counted) received.push({ at: Date.now(), ...counted });
}

/** Signs in where the API wants it. Who is no operator has no operators' views. */
async function signedIn(loaded: Config): Promise<Config> {
  byId("environment").textContent = loaded.environment;
  if (!loaded.signIn) return loaded;
  const signIn = new SignIn(loaded.signIn);
  const session = await signIn.open();
  authorizeBy(signIn);
  showSession(signIn, session);
  return { ...loaded, operations: loaded.operations === true && session.operator };
}

function showSession(signIn: SignIn, { name, operator }: Session): void {
  byId("session").hidden = false;
  byId("session-name").textContent = name;
  byId("session-operator").hidden = !operator;
  byId("sign-out").onclick = () => void signIn.signOut();
}

/** Shows the view that the page's address names: `#/<view>/<name>?<query>`; a name may have slashes. */
function route(): void {
  const [path = "", query] = location.hash.replace(/^#\/?/, "").split("?");
  const [first = "", ...rest] = path.split("/");
  const wanted = views.has(first) ? first : "live";
  const view = views.get(wanted);
  if (!view) return;
  if (shown !== view) {
    shown?.hide?.();
    received = [];
    shown = view;
    for (const one of document.querySelectorAll("main")) one.hidden = one.id !== `${wanted}-view`;
    document.body.dataset["view"] = wanted;
    for (const link of document.querySelectorAll("header nav a"))
      if (link.id === `${wanted}-link`) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
  }
  view.show(decoded(rest.join("/")), new URLSearchParams(query));
  void Promise.allSettled([refreshHealth(), refreshView()]);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Shows the market's link where the API has the market. */
async function refreshMarketLink(): Promise<void> {
  if (marketRuns !== null) return;
  const { links } = await answer(api.GET("/"));
  marketRuns = "symbols" in links;
  byId("market-link").hidden = !marketRuns;
  byId("market-absent").hidden = marketRuns;
}

async function refreshView(): Promise<void> {
  await refreshMarketLink();
  if (shown !== views.get("market") || marketRuns) await shown?.refresh?.();
}

async function refreshHealth(): Promise<void> {
  const asked = await api.GET("/health");
  // Where a component is down, it says which.
  const isDown = asked.error !== undefined && "components" in asked.error;
  const { status, components } = isDown ? (asked.error as Health) : await answer(Promise.resolve(asked));
  const pill = byId("health");
  pill.className = `pill ${status}`;
  pill.title = Object.entries(components)
    .map(([name, { status: one, detail }]) => `${name}: ${one}${detail ? ` (${detail})` : ""}`)
    .join("\n");
  const { lag, watermarkLagMs } = components[shown?.component ?? ""] ?? {};
  byId("metric-lag").textContent = lag === undefined ? "–" : lag.toLocaleString();
  byId("metric-watermark").textContent = watermarkLagMs == null ? "–" : `${(watermarkLagMs / 1_000).toFixed(1)} s`;
}

function showMetrics(): void {
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

/** A quantile of latencies in ms; `q` is from 0 to 1. */
function showQuantile(sorted: readonly number[], q: number): string {
  const value = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))];
  return value === undefined ? "–" : `${Math.round(value)} ms`;
}

async function refresh(): Promise<void> {
  const results = await Promise.allSettled([refreshHealth(), refreshView()]);
  const [health, view] = results;
  const failures = results.flatMap((result) => (result.status === "rejected" ? [result.reason as unknown] : []));
  failed = failures.length > 0 ? failed + 1 : 0;
  const delay = failed > 0 ? retryDelay(failed) : REFRESH_MS;
  const isOfStatus = view.status === "rejected" && shown?.source === "status";
  const isOfApi = health.status === "rejected" || (view.status === "rejected" && !isOfStatus);
  if (isOfApi) {
    byId("health").className = "pill down";
    byId("health").title = failures.join("\n");
    losses.lost("api", reasonOf(failures[0]), delay);
  } else losses.found("api");
  if (isOfStatus) losses.lost("status", reasonOf(failures.at(-1)), delay);
  else losses.found("status");
  setTimeout(() => void refresh(), delay);
}

function reasonOf(error: unknown): string {
  return error instanceof RequestError ? `it answers ${error.message}` : "there is no connection to it";
}

function frame(now: number): void {
  shown?.frame?.(now);
  requestAnimationFrame(frame);
}

window.addEventListener("hashchange", route);
// Who comes first sees how to publish; with an address one sees what it names.
if (location.hash === "" && (await isUnheard(config))) location.replace("#/publish");
else route();
setInterval(showMetrics, 500);
requestAnimationFrame(frame);
void refresh();
