import { execFile } from "node:child_process";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import type { Kafka } from "kafkajs";
import { createKafka } from "../../adapters/kafka.ts";
import { writeSettings } from "../../config/settings.ts";
import type { PipelineName } from "../../domain/pipelines.ts";
import { pickPlatformPorts } from "../../local/processes/ports.ts";
import { type Accounts, isSettled, type Published, settleAccounts } from "../support/accounting.ts";
import { eventually } from "../support/eventually.ts";
import { KafkaCluster } from "../support/kafka-cluster.ts";
import {
  type AcknowledgedTrades,
  isMarketSettled,
  type MarketAccounts,
  settleMarket,
} from "../support/market-accounting.ts";
import { StartedPlatform } from "../support/platform.ts";
import { type Publication, simulate } from "../support/simulate.ts";
import type { Fault } from "./faults.ts";
import { untilProcessed } from "./progress.ts";
import { UP_LIMIT_MS, type Stage } from "./stage.ts";
import { type TaskEvents, TaskLog } from "./task-log.ts";

const ROOT = join(import.meta.dirname, "..", "..");
/** How long the platform may take to process everything that was published, and to end its last sessions. */
const SETTLE_LIMIT_MS = 240_000;
/** Each look reads all topics, which the platform should have time between for its own work. */
const SETTLE_PAUSE_MS = 2_000;

export interface ChaosOptions {
  /** Folder of the platform's data. */
  readonly home: string;
  /** Options of the simulator: what is published, and until when. */
  readonly simulator: readonly string[];
  /** Options of the market simulator. @default no market runs */
  readonly market?: readonly string[];
  /** Injected one after the other until the simulator has ended. */
  readonly faults: Iterable<Fault>;
  /** Whether Kafka is a cluster of three brokers instead of the platform's own. */
  readonly withBrokers: boolean;
  /** The next number in [0, 1): decides how each fault is injected. */
  readonly random: () => number;
  /** From one recovery to the next fault. */
  readonly pauseMs: number;
  readonly onProgress: (message: string) => void;
}

/** A fault that was injected, and what the tasks did until the next. */
export interface InjectedFault extends TaskEvents {
  readonly name: string;
  /** From its end until each partition has committed what had arrived by then. */
  readonly recoveryMs: number;
  /** What exceeds the fault's bounds, or has no reason in the failure table. */
  readonly problems: readonly string[];
}

export interface ChaosResult {
  readonly faults: readonly InjectedFault[];
  readonly accounts: Accounts;
  readonly replay: { readonly compared: number; readonly differences: readonly string[] };
  /** Of the market, where it runs. */
  readonly market: { readonly accounts: MarketAccounts; readonly replay: ChaosResult["replay"] } | null;
  /**
   * Every reading and trade is accounted for once, the replay of the log gives the same bytes, and no fault has a
   * problem.
   */
  readonly ok: boolean;
}

/** Runs once the accounts are settled, before the platform is stopped. */
export type Afterwards = (platform: {
  readonly ports: Readonly<Record<string, number>>;
  readonly published: Published;
  readonly home: string;
}) => Promise<void>;

/** Runs the whole platform, injects faults while the simulator publishes, then accounts for every reading. */
export async function chaos(
  options: ChaosOptions,
  afterwards: Afterwards = () => Promise.resolve(),
): Promise<ChaosResult> {
  const { home, random } = options;
  const cluster = options.withBrokers ? await KafkaCluster.start() : null;
  const ports = await pickPlatformPorts();
  const kafkaBrokers = cluster?.kafkaBrokers ?? `127.0.0.1:${ports.kafka}`;
  const kafka = createKafka({ kafkaBrokers, kafkaAuth: "none", region: "local" }, "chaos");
  const platform = new StartedPlatform(
    home,
    ports,
    ["--no-simulator", ...(options.market ? ["--market"] : [])],
    cluster ? { KAFKA_BROKERS: kafkaBrokers } : {},
  );
  const stage: Stage = {
    ...{ platform, home, ports, kafka, kafkaBrokers, cluster, random },
    ...{ appended: {}, settingsChanges: [] },
  };
  let publication: Publication<Published> | undefined;
  let trades: Publication<AcknowledgedTrades> | undefined;
  const interrupt = (): void => platform.interrupt();
  process.once("exit", interrupt);
  try {
    await platform.untilUp(UP_LIMIT_MS);
    publication = publish(options, `mqtt://127.0.0.1:${ports.mqtt}`);
    if (options.market) trades = publishTrades(home, options.market, `http://127.0.0.1:${ports.events}`);
    const faults = await injectFaults(stage, options, publication);
    const published = { ...(await publication.result), ...stage.appended };
    options.onProgress("everything is published; settling accounts");
    const accounts = await settle(kafka, published, stage.settingsChanges.length > 0);
    const replay = await compareReplay(kafkaBrokers, join(home, "models"), "sensor");
    const market = trades ? await settleTrades(kafka, await trades.result, kafkaBrokers, home) : null;
    await afterwards({ ports, published, home });
    const ok =
      isSettled(accounts) &&
      replay.differences.length === 0 &&
      (market === null || (isMarketSettled(market.accounts) && market.replay.differences.length === 0)) &&
      faults.every(({ problems }) => problems.length === 0);
    return { faults, accounts, replay, market, ok };
  } catch (error) {
    throw new Error(`${(error as Error).message}\n--- the platform said:\n${platform.output.slice(-3_000)}`, {
      cause: error,
    });
  } finally {
    publication?.stop();
    trades?.stop();
    platform.interrupt();
    await platform.exited;
    process.off("exit", interrupt);
    await cluster?.stop();
  }
}

/** Starts the simulator; its report is the result. */
function publish({ home, simulator }: ChaosOptions, mqttUrl: string): Publication<Published> {
  const settings = writeSettings("simulator", { mqttUrl, logLevel: "error", healthPort: 0 });
  const report = join(home, "published.json");
  return simulate(simulator, settings, report, (text) => (JSON.parse(text) as { sensors: Published }).sensors);
}

/** The same for the market. */
function publishTrades(
  home: string,
  simulator: readonly string[],
  eventsEndpoint: string,
): Publication<AcknowledgedTrades> {
  const settings = writeSettings("simulator", { eventsEndpoint, logLevel: "error", healthPort: 0 });
  const report = join(home, "acknowledged.json");
  const read = (text: string): AcknowledgedTrades => (JSON.parse(text) as { symbols: AcknowledgedTrades }).symbols;
  return simulate(["--market", ...simulator], settings, report, read);
}

async function injectFaults(
  stage: Stage,
  { faults, market, pauseMs, onProgress }: ChaosOptions,
  { ended }: Publication<Published>,
): Promise<InjectedFault[]> {
  const injected: InjectedFault[] = [];
  const running: PipelineName[] = market ? ["sensor", "market"] : ["sensor"];
  const log = new TaskLog(stage.home);
  for (const { name, bounds, run } of faults) {
    await delay(pauseMs, undefined, { signal: ended }).catch(() => undefined);
    if (ended.aborted) break;
    const before = log.next();
    if (Object.keys(before.restarts).length > 0) onProgress(`between faults: restarts ${counts(before.restarts)}`);
    let what: string | null = null;
    let at = Date.now();
    let failure: Error | null = null;
    try {
      what = await run(stage);
      at = Date.now();
      for (const pipeline of running) await untilProcessed(stage.kafka, UP_LIMIT_MS, pipeline);
    } catch (error) {
      failure = error as Error;
    }
    const recoveryMs = Date.now() - at;
    const events = log.next();
    const restarts = Object.values(events.restarts).reduce((sum, count) => sum + count, 0);
    // Each pipeline has as many tasks.
    const [mostRestarts, mostFenced] = [bounds.restarts * running.length, bounds.fenced * running.length];
    const problems = [
      ...(failure ? [`${what === null ? "the fault failed" : "not all was processed"}: ${failure.message}`] : []),
      ...(restarts > mostRestarts ? [`${restarts} restarts; at most ${mostRestarts} were expected`] : []),
      ...(events.fenced > mostFenced ? [`${events.fenced} fenced; at most ${mostFenced} were expected`] : []),
      ...events.unnamed.map((error) => `a restart without a reason of the failure table: ${error}`),
      ...events.stopped.map((error) => `a task stopped: ${error}`),
    ];
    injected.push({ name, recoveryMs, problems, ...events });
    const did = `${events.lives} lives, restarts ${counts(events.restarts)}, ${events.fenced} fenced`;
    onProgress(
      [`${name}: ${what ?? "failed"}; processed again after ${recoveryMs} ms (${did})`, ...problems].join("\n    "),
    );
  }
  return injected;
}

function counts(byReason: Readonly<Record<string, number>>): string {
  return (
    Object.entries(byReason)
      .map(([reason, count]) => `${count} ${reason}`)
      .join(", ") || "none"
  );
}

/** The accounts once they are settled, or as they are at the limit. */
async function settle(kafka: Kafka, published: Published, settingsChanged: boolean): Promise<Accounts> {
  const deadline = Date.now() + SETTLE_LIMIT_MS;
  return await eventually(() => settleAccounts(kafka, published, settingsChanged), {
    until: (accounts) => isSettled(accounts) || Date.now() > deadline,
    limitMs: 2 * SETTLE_LIMIT_MS,
    pauseMs: SETTLE_PAUSE_MS,
  });
}

/** The same for the market, and whether its replay gives the same. */
async function settleTrades(
  kafka: Kafka,
  acknowledged: AcknowledgedTrades,
  kafkaBrokers: string,
  home: string,
): Promise<NonNullable<ChaosResult["market"]>> {
  const deadline = Date.now() + SETTLE_LIMIT_MS;
  const accounts = await eventually(() => settleMarket(kafka, acknowledged), {
    until: (found) => isMarketSettled(found) || Date.now() > deadline,
    limitMs: 2 * SETTLE_LIMIT_MS,
    pauseMs: SETTLE_PAUSE_MS,
  });
  return { accounts, replay: await compareReplay(kafkaBrokers, join(home, "models"), "market") };
}

async function compareReplay(brokers: string, models: string, pipeline: PipelineName): Promise<ChaosResult["replay"]> {
  const program = join(ROOT, "test", "support", "compare-replay.ts");
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", program, brokers, models, pipeline],
    { maxBuffer: 1 << 28 },
  );
  return JSON.parse(stdout) as ChaosResult["replay"];
}
