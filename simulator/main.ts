import { writeFileSync } from "node:fs";
import { startHealthServer } from "../adapters/health.ts";
import { createLogger } from "../adapters/log.ts";
import { programMetrics } from "../adapters/program-metrics.ts";
import { runCommand } from "../adapters/run-command.ts";
import { LOOPBACK } from "../config/local.ts";
import { readSettings } from "../config/settings.ts";
import { recordedFleet, syntheticFleet, type Fleet } from "./devices.ts";
import { parseMarketOptions } from "./market/options.ts";
import { simulateMarket } from "./market/simulate-market.ts";
import { help, parseOptions, type SimulatorOptions } from "./options.ts";
import { findRecordings, readRecordings } from "./read-recordings.ts";
import { listenForRejected } from "./rejected.ts";
import { Report } from "./report.ts";
import { Schedule } from "./schedule.ts";
import { simulate } from "./simulation.ts";

/** IoT Core drops messages beyond 100 per second and connection, repeated ones included. */
const MESSAGES_PER_CONNECTION = 80;
const MAX_CONNECTIONS = 100;
const STATUS_MS = 10_000;

/** The part of the simulation that is history (see `Schedule`): all of it when it has an end, otherwise one lap. */
function historyMs({ once, durationMs, speed, pauseMs }: SimulatorOptions, fleet: Fleet): number {
  const lapMs = once ? fleet.lapMs - pauseMs : fleet.lapMs;
  if (durationMs === undefined) return lapMs;
  return once ? Math.min(durationMs * speed, lapMs) : durationMs * speed;
}

function loadFleet(options: SimulatorOptions): Fleet {
  if (options.recordings === undefined) return syntheticFleet(options);
  const files = [...findRecordings(options.recordings)].slice(0, options.sensors);
  return recordedFleet(new Map(files.map(([sensor, paths]) => [sensor, readRecordings(paths)])), options);
}

function connectionsFor(options: SimulatorOptions, fleet: Fleet): number {
  const messagesPerSecond = fleet.messagesPerSecond * Math.max(1, options.speed);
  const needed = Math.ceil(messagesPerSecond / MESSAGES_PER_CONNECTION);
  return options.connections ?? Math.min(MAX_CONNECTIONS, fleet.devices.length, needed);
}

async function run(options: SimulatorOptions): Promise<void> {
  const settings = readSettings("simulator", process.env);
  const metrics = programMetrics("simulator");
  const logger = createLogger("simulator", settings.logLevel, metrics);
  const fleet = loadFleet(options);
  const report = new Report();
  const startedAt = Date.now();
  const boot = startedAt.toString(36);
  const mqttUrl = options.mqttUrl ?? settings.mqttUrl;
  const connections = connectionsFor(options, fleet);
  if (settings.healthPort > 0)
    await startHealthServer(settings.healthPort, LOOPBACK, () => ({ status: "ok", components: {} }), metrics);

  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop.abort());
  if (options.durationMs !== undefined) setTimeout(() => stop.abort(), options.durationMs).unref();
  const status = setInterval(() => logger.info(metrics.snapshot(), "publishing"), STATUS_MS);
  logger.info(
    {
      sensors: fleet.devices.length,
      connections,
      mqttUrl,
      boot,
      seed: options.seed,
      speed: options.speed,
      format: options.format,
    },
    "started",
  );

  const sensors = new Set(fleet.devices.map(({ sensorId }) => sensorId));
  const listener = listenForRejected(mqttUrl, `millrace-simulator-${boot}-rejected`, sensors, {
    metrics,
    logger,
  });
  const schedule = new Schedule({ startedAt, speed: options.speed, historyMs: historyMs(options, fleet) });
  await simulate(
    {
      devices: fleet.devices,
      connections,
      faults: options.faults,
      format: options.format,
      schedule,
      boot,
      mqttUrl,
      metrics,
      report,
      logger,
    },
    stop.signal,
  );

  clearInterval(status);
  await listener.endAsync(true);
  const summary = { boot, seed: options.seed, startedAt, endedAt: Date.now(), totals: report.totals() };
  if (options.reportFile !== undefined)
    writeFileSync(
      options.reportFile,
      `${JSON.stringify({ ...summary, sensors: Object.fromEntries(report.sensors) }, null, 1)}\n`,
    );
  console.log(JSON.stringify({ ...summary, publishLatencyMs: metrics.snapshot()["simulator.publish-latency"] }));
}

await runCommand(async (args) => {
  if (args.includes("--market"))
    return await simulateMarket(parseMarketOptions(args), readSettings("simulator", process.env));
  const options = parseOptions(args);
  if (options === "help") console.log(help);
  else await run(options);
});
// Connections to the broker would keep the process alive.
process.exit();
