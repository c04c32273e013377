import { writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { EventBridgeClient } from "@aws-sdk/client-eventbridge";
import { startHealthServer } from "../../adapters/health.ts";
import { localCredentials } from "../../adapters/local-credentials.ts";
import { createLogger, type Logger } from "../../adapters/log.ts";
import type { Metrics } from "../../adapters/metrics.ts";
import { programMetrics } from "../../adapters/program-metrics.ts";
import { LOOPBACK } from "../../config/local.ts";
import type { Settings } from "../../config/settings.ts";
import { MillraceError } from "../../domain/errors.ts";
import { eventBusName } from "../../domain/market.ts";
import type { SeriesOf } from "../../domain/metrics.ts";
import { MINUTE } from "../../domain/time.ts";
import { seededRandom } from "../synthetic/random.ts";
import { EventPublisher } from "./event-publisher.ts";
import type { PlannedPut, PlannedTrade, PutKind } from "./faults.ts";
import type { MarketOptions } from "./options.ts";
import { plannedTrades, putsInOrder } from "./puts.ts";
import { recordedTrades } from "./recorded.ts";
import { MarketReport } from "./report.ts";

const STATUS_MS = 10_000;
const GAUGE_MS = 1_000;
/** Time for the acknowledgements at the end of a run that was stopped. */
const CLOSE_LIMIT_MS = 5_000;

const countedBy: Readonly<Record<PutKind, SeriesOf<"counter">>> = {
  trade: "simulator.trades",
  late: "simulator.late-trades",
  executed: "simulator.executions",
  duplicate: "simulator.duplicate-trades",
  corrupt: "simulator.corrupt-trades",
  cancelled: "simulator.cancellations",
  conflict: "simulator.conflicting-trades",
};

/** Puts trades until they end, or the process is told to stop. Writes one line of JSON with the totals at the end. */
export async function simulateMarket(options: MarketOptions, settings: Settings<"simulator">): Promise<void> {
  const metrics = programMetrics("simulator-market");
  const logger = createLogger("simulator-market", settings.logLevel, metrics);
  const report = new MarketReport();
  const startedAt = Date.now();
  const run = startedAt.toString(36);
  const endpoint = options.endpoint ?? settings.eventsEndpoint;
  if (!URL.canParse(endpoint))
    throw new MillraceError(
      "config-invalid",
      `EVENTS_ENDPOINT is ${JSON.stringify(endpoint)}: a URL is expected, such as http://127.0.0.1:8002`,
    );
  if (settings.healthPort > 0)
    await startHealthServer(settings.healthPort, LOOPBACK, () => ({ status: "ok", components: {} }), metrics);
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop.abort());
  if (options.durationMs !== undefined && !options.once) setTimeout(() => stop.abort(), options.durationMs).unref();
  const publisher = new EventPublisher({
    client: new EventBridgeClient({
      region: settings.region,
      endpoint,
      // A local endpoint checks no signature; on AWS the credentials are the environment's.
      ...(new URL(endpoint).hostname === LOOPBACK ? { credentials: localCredentials } : {}),
    }),
    bus: eventBusName(settings.environment),
    metrics,
    logger,
    onAcknowledged: (put) => {
      report.count(put);
      metrics.add("simulator.events");
      metrics.add(countedBy[put.kind]);
    },
  });
  stop.signal.addEventListener("abort", () => publisher.release());
  const status = setInterval(() => logger.info(metrics.snapshot(), "publishing"), STATUS_MS);
  const gauge = setInterval(() => metrics.set("simulator.in-flight", publisher.inFlight), GAUGE_MS);
  logger.info({ endpoint, run, seed: options.seed, symbols: options.symbols, rate: options.rate }, "started");

  const puts = putsInOrder(tradesOf(options, run, startedAt), options.faults, seededRandom(options.seed, "faults"));
  await publishAll(puts, publisher, { atOnce: options.once, startedAt, metrics, stop: stop.signal });
  await publisher.close(stop.signal.aborted ? CLOSE_LIMIT_MS : Infinity);
  clearInterval(status);
  clearInterval(gauge);
  summarise(options, { run, startedAt, report, metrics, logger });
}

function tradesOf(
  options: MarketOptions,
  run: string,
  startedAt: number,
): Iterable<PlannedTrade> | AsyncIterable<PlannedTrade> {
  const { recording, speed, once, durationMs } = options;
  if (recording !== undefined) return recordedTrades(recording, speed);
  if (!once) return plannedTrades(options, run, startedAt);
  const lengthMs = durationMs ?? MINUTE;
  return plannedTrades(options, run, startedAt - lengthMs, lengthMs);
}

async function publishAll(
  puts: AsyncIterable<PlannedPut>,
  publisher: EventPublisher,
  options: {
    readonly atOnce: boolean;
    readonly startedAt: number;
    readonly metrics: Metrics;
    readonly stop: AbortSignal;
  },
): Promise<void> {
  const { atOnce, startedAt, metrics, stop } = options;
  for await (const put of puts) {
    const dueAt = atOnce ? startedAt : startedAt + put.dueMs;
    const waitMs = Math.ceil(dueAt - Date.now());
    if (waitMs > 0) await sleep(waitMs, undefined, { signal: stop }).catch(() => undefined);
    if (stop.aborted) return;
    if (!atOnce) metrics.time("simulator.behind", Math.max(0, Date.now() - dueAt));
    await publisher.publish(put);
  }
}

function summarise(
  { seed, reportFile }: MarketOptions,
  ran: {
    readonly run: string;
    readonly startedAt: number;
    readonly report: MarketReport;
    readonly metrics: Metrics;
    readonly logger: Logger;
  },
): void {
  const { run, startedAt, report, metrics } = ran;
  const summary = { run, seed, startedAt, endedAt: Date.now(), totals: report.totals };
  if (reportFile !== undefined) {
    const symbols = Object.fromEntries(report.symbols);
    writeFileSync(reportFile, `${JSON.stringify({ ...summary, symbols }, null, 1)}\n`);
  }
  console.log(JSON.stringify({ ...summary, publishLatencyMs: metrics.snapshot()["simulator.publish-latency"] }));
}
