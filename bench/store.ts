import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createTopics } from "../adapters/kafka-topics.ts";
import { createKafka } from "../adapters/kafka.ts";
import { LOOPBACK } from "../config/local.ts";
import { nodeArguments } from "../config/node.ts";
import { writeSettings } from "../config/settings.ts";
import { HOUR, MINUTE } from "../domain/time.ts";
import { pickFreePorts } from "../local/processes/ports.ts";
import { startProcess } from "../local/processes/process.ts";
import { startServers, type Servers } from "../local/servers/index.ts";
import { distribution, type Distribution } from "./distribution.ts";
import { until } from "./processor-process.ts";
import { seconds, type Bench, type Scenario } from "./scenario.ts";
import { storeSensor } from "./store-records.ts";
import { showTargets, target, type Target } from "./target.ts";
import { shares, usages } from "./usage.ts";

const DEFAULT_SENSORS = 20;
const DEFAULT_HOURS = 24;
const DEFAULT_SECONDS = 60;
const REQUESTS_PER_ROUTE = 200;
/** Between two requests: about what a few open pages ask for. */
const REQUEST_EVERY_MS = 50;
const MB = 2 ** 20;

/** How the store did with what it holds. */
export interface StoreResult {
  readonly sensors: number;
  readonly hours: number;
  readonly fillMs: number;
  readonly fileMb: number;
  /** Share of a core of the store's server, while windows arrive, and while routes are asked, too. */
  readonly cores: { readonly writing: number; readonly asked: number };
  /** Its memory after the fill, and at the end. */
  readonly rssMb: { readonly filled: number; readonly end: number };
  readonly routes: Readonly<Record<string, Distribution>>;
}

/** The document store with a day of history: what each route of the REST API takes, and what the server does. */
export const store: Scenario = {
  about: "the REST API over a store that holds --hours of --sensors at a window a second",
  onlyByName: true,
  run: async (bench) => {
    bench.print(showTargets(await measureStore(bench)));
  },
};

/** Fills a store, asks each route, and reports it. */
export async function measureStore(bench: Bench): Promise<Target[]> {
  const result = await runStore(bench);
  const { fillMs, fileMb, cores, rssMb, routes } = result;
  bench.report("store", result, `filled in ${seconds(fillMs)}, file ${fileMb.toFixed(0)} MB`);
  const ms = (value: number): string => `${value.toFixed(0)} ms`;
  const core = (value: number): string => `${value.toFixed(2)} cores`;
  return [
    ...Object.entries(routes).map(([route, { p50, p99 }]) =>
      target(`${route} p99 (p50 ${p50.toFixed(0)} ms)`, p99, "below", 100, ms),
    ),
    target("store's server while windows arrive", cores.writing, "at most", 0.1, core),
    target("store's server while routes are asked", cores.asked, "at most", 0.1, core),
    target("store's memory, from the fill on", rssMb.end / rssMb.filled, "at most", 1.1, (x) => x.toFixed(2)),
  ];
}

async function runStore(bench: Bench): Promise<StoreResult> {
  const { sensors = DEFAULT_SENSORS, hours = DEFAULT_HOURS } = bench.options;
  const folder = bench.folder("store");
  mkdirSync(folder, { recursive: true });
  const servers = await startServers({ which: ["kafka", "mongodb"], dataDir: folder });
  try {
    const filledFrom = performance.now();
    const load = startLoad(servers, sensors, hours);
    try {
      await untilFilled(load, bench);
      const fillMs = performance.now() - filledFrom;
      const pids = { mongodb: servers.server("mongodb").pid };
      const filled = usages(pids);
      const writing = await share(pids, () => sleep((bench.options.seconds ?? DEFAULT_SECONDS) * 1_000));
      let routes: StoreResult["routes"] = {};
      const asked = await share(pids, async () => {
        routes = await withGateway(servers, folder, (api) => askRoutes(api, hours));
      });
      return {
        sensors,
        hours,
        fillMs,
        fileMb: sizeMb(join(folder, "mongodb")),
        cores: { writing, asked },
        rssMb: { filled: filled.get("mongodb")!.rssMb, end: usages(pids).get("mongodb")!.rssMb },
        routes,
      };
    } finally {
      load.kill();
    }
  } finally {
    await servers.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

function startLoad({ mongodbUri }: Servers, sensors: number, hours: number): ChildProcess {
  return fork(join(import.meta.dirname, "store-load.ts"), [String(sensors), String(hours)], {
    execArgv: nodeArguments(),
    env: { ...process.env, ...writeSettings("store", { mongodbUri, logLevel: "warn" }) },
  });
}

/** @throws Error when the process ends before */
async function untilFilled(load: ChildProcess, bench: Bench): Promise<void> {
  bench.print("filling the store");
  const ended = once(load, "exit").then(() => {
    throw new Error("the store could not be filled");
  });
  await Promise.race([once(load, "message"), ended]);
  ended.catch(() => undefined);
}

/** Size of all files of a folder. */
function sizeMb(folder: string): number {
  return readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size / MB, 0);
}

/** Share of a core that the process had during `work`. */
async function share(pids: Readonly<Record<string, number>>, work: () => Promise<unknown>): Promise<number> {
  const before = usages(pids);
  const startedAt = performance.now();
  await work();
  return shares(before, usages(pids), (performance.now() - startedAt) / 1_000)[0]!.cores;
}

/** Runs the local API gateway, in which the functions run, as `npm start` does. */
async function withGateway<T>(servers: Servers, folder: string, work: (api: string) => Promise<T>): Promise<T> {
  const { kafkaBrokers, mongodbUri, dynamodbEndpoint } = servers;
  const kafka = createKafka({ kafkaBrokers, kafkaAuth: "none", region: "local" }, "bench");
  const admin = kafka.admin();
  await admin.connect();
  await createTopics(admin, { partitions: 1 });
  await admin.disconnect();
  const [port] = await pickFreePorts(1);
  const gateway = await startProcess({
    name: "gateway",
    command: [process.execPath, ...nodeArguments(), "local/gateway/main.ts"],
    env: {
      ...process.env,
      // The WebSocket functions are loaded, too, and want a region and credentials.
      AWS_REGION: "us-east-1",
      AWS_ACCESS_KEY_ID: "local",
      AWS_SECRET_ACCESS_KEY: "local",
      ...writeSettings("rest", { kafkaBrokers, mongodbUri, dynamodbEndpoint, logLevel: "error" }),
      ...writeSettings("gateway", { port: port!, dashboardPort: 0, healthPort: 0, logLevel: "error" }),
    },
    cwd: join(import.meta.dirname, ".."),
    logFile: join(folder, "gateway.log"),
    outlivesInterrupt: false,
  });
  try {
    const api = `http://${LOOPBACK}:${port}`;
    await until("the gateway answers", MINUTE, () =>
      fetch(`${api}/`).then(
        () => true,
        () => null,
      ),
    );
    return await work(api);
  } finally {
    await gateway.stop(5_000);
  }
}

/** Asks each route in turn, at an even pace. A request that is slower than the pace delays those behind it. */
async function askRoutes(api: string, hours: number): Promise<Record<string, Distribution>> {
  const sensor = storeSensor(0);
  // An hour in the middle of what the store holds.
  const from = Math.floor(Date.now() - (hours * HOUR) / 2);
  const interval = `from=${from}&to=${from + HOUR}`;
  const { items } = JSON.parse(await ask(`${api}/sessions?sensorId=${sensor}&limit=1`)) as {
    items: { sessionId: string }[];
  };
  const session = items[0]!.sessionId;
  const routes = {
    "/health": "/health",
    "/sensors": "/sensors",
    "/sensors/{id}/windows": `/sensors/${sensor}/windows`,
    "/sensors/{id}/windows, an hour": `/sensors/${sensor}/windows?${interval}`,
    "/sessions": "/sessions",
    "/sessions, an hour": `/sessions?${interval}`,
    "/sessions, open": "/sessions?status=open",
    "/sessions of a sensor": `/sessions?sensorId=${sensor}`,
    "/sessions of a sensor, an hour": `/sessions?sensorId=${sensor}&${interval}`,
    "/sessions/{id}": `/sessions/${encodeURIComponent(session)}`,
  };
  const taken = new Map<string, number[]>(Object.keys(routes).map((name) => [name, []]));
  for (let n = 0; n < REQUESTS_PER_ROUTE; n++)
    for (const [name, path] of Object.entries(routes)) {
      const startedAt = performance.now();
      await ask(api + path);
      const ms = performance.now() - startedAt;
      taken.get(name)!.push(ms);
      await sleep(Math.max(0, REQUEST_EVERY_MS - ms));
    }
  return Object.fromEntries([...taken].map(([name, values]) => [name, distribution(values)]));
}

/** @throws Error when the answer is not one of the store: no processor runs here, so `/health` may be 503. */
async function ask(url: string): Promise<string> {
  const response = await fetch(url);
  const text = await response.text();
  const isHealth = url.endsWith("/health");
  const mongodb = isHealth
    ? (JSON.parse(text) as { components?: Record<string, { status: string }> }).components?.["mongodb"]?.status
    : undefined;
  if (isHealth ? mongodb !== "ok" : !response.ok) throw new Error(`${url} answered ${response.status}: ${text}`);
  return text;
}
