import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { createKafka } from "../../adapters/kafka.ts";
import { writeSettings } from "../../config/settings.ts";
import { pickPlatformPorts } from "../../local/processes/ports.ts";
import { type Accounts, type Besides, isSettled, type Published, settleAccounts } from "../support/accounting.ts";
import { eventually } from "../support/eventually.ts";
import type { KafkaCluster } from "../support/kafka-cluster.ts";
import { StartedPlatform } from "../support/platform.ts";
import type { Fault, Stage } from "./faults.ts";
import { readRestarts, type Restarts } from "./restarts.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const UP_LIMIT_MS = 240_000;
/** How long the platform may take to process everything that was published, and to end its last sessions. */
const SETTLE_LIMIT_MS = 240_000;
/** Each look reads all topics, which the platform should have time between for its own work. */
const SETTLE_PAUSE_MS = 2_000;
/** New lives that one fault may cause: one for each of ten partitions, twice. */
const LIVES_PER_FAULT = 20;

export interface ChaosOptions {
  /** Folder of the platform's data. */
  readonly home: string;
  /** Options of the simulator: what is published, and until when. */
  readonly simulator: readonly string[];
  /** One after the other, until the simulator has ended. */
  readonly faults: Iterable<Fault>;
  /** From one recovery to the next fault. */
  readonly pauseMs: number;
  /** A cluster of three brokers for the platform; null for the one broker of `npm start`. @default null */
  readonly cluster?: KafkaCluster | null;
  readonly onProgress: (message: string) => void;
}

/** A fault that happened. */
export interface Injected {
  readonly name: string;
  /** Until what it hit had recovered. */
  readonly recoveryMs: number;
  /** Dead letters that it caused. */
  readonly deadLetters: number;
}

export interface ChaosResult {
  readonly faults: readonly Injected[];
  readonly accounts: Accounts;
  readonly restarts: Restarts;
  readonly replay: { readonly compared: number; readonly differences: readonly string[] };
  /**
   * Every reading is accounted for once, the replay of the log gives the same bytes, no task has stopped, and none has
   * restarted more often than the faults explain.
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
  const { home, cluster = null } = options;
  const ports = await pickPlatformPorts();
  const own = cluster ? { KAFKA_BROKERS: cluster.kafkaBrokers } : {};
  const platform = new StartedPlatform(home, ports, ["--no-simulator"], own);
  const brokers = cluster?.kafkaBrokers ?? `127.0.0.1:${ports.kafka}`;
  let publication: Publication | undefined;
  try {
    await platform.untilUp(UP_LIMIT_MS);
    publication = publish(options, `mqtt://127.0.0.1:${ports.mqtt}`);
    const faults = await injectFaults({ platform, home, brokers, cluster }, options, publication);
    const published = await publication.result;
    options.onProgress("everything is published; settling accounts");
    const accounts = await settle(brokers, published, {
      poison: faults.reduce((sum, { deadLetters }) => sum + deadLetters, 0),
      settings: faults.some(({ name }) => name === "settings"),
    });
    const replay = await compareReplay(brokers, join(home, "models"));
    await afterwards({ ports, published, home });
    const restarts = readRestarts(home);
    const lives = Object.values(restarts.restarted).reduce((sum, times) => sum + times, 0) + restarts.fenced;
    const explained = lives <= faults.length * LIVES_PER_FAULT && restarts.stopped.length === 0;
    const ok = isSettled(accounts) && replay.differences.length === 0 && explained;
    return { faults, accounts, restarts, replay, ok };
  } catch (error) {
    throw new Error(`${(error as Error).message}\n--- the platform said:\n${platform.output.slice(-3_000)}`, {
      cause: error,
    });
  } finally {
    publication?.stop();
    platform.interrupt();
    await platform.exited;
  }
}

interface Publication {
  /** Aborted when the simulator has ended. */
  readonly ended: AbortSignal;
  readonly result: Promise<Published>;
  stop(): void;
}

/** Starts the simulator; its report is the result. */
function publish({ home, simulator }: ChaosOptions, mqttUrl: string): Publication {
  const report = join(home, "published.json");
  const settings = writeSettings("simulator", { mqttUrl, logLevel: "error", healthPort: 0 });
  const child = spawn(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", join(ROOT, "simulator", "main.ts"), ...simulator, "--report", report],
    { env: { ...process.env, ...settings }, stdio: ["ignore", "ignore", "inherit"] },
  );
  const ended = new AbortController();
  const result = once(child, "exit").then(([code]) => {
    ended.abort();
    if (code !== 0) throw new Error(`the simulator ended with exit code ${code}`);
    return (JSON.parse(readFileSync(report, "utf8")) as { sensors: Published }).sensors;
  });
  // Whoever awaits the result gets the failure; until then it is not an unhandled one.
  result.catch(() => undefined);
  return { ended: ended.signal, result, stop: () => void child.kill() };
}

async function injectFaults(
  stage: Omit<Stage, "count">,
  { faults, pauseMs, onProgress }: ChaosOptions,
  { ended }: Publication,
): Promise<Injected[]> {
  const injected: Injected[] = [];
  for (const fault of faults) {
    await delay(pauseMs, undefined, { signal: ended }).catch(() => undefined);
    if (ended.aborted) break;
    const at = Date.now();
    const deadLetters = (await fault.run({ ...stage, count: injected.length })) ?? 0;
    injected.push({ name: fault.name, recoveryMs: Date.now() - at, deadLetters });
    onProgress(`${fault.name}; recovered after ${injected.at(-1)!.recoveryMs} ms`);
  }
  return injected;
}

/** The accounts once they are settled, or as they are at the limit. */
async function settle(kafkaBrokers: string, published: Published, besides: Besides): Promise<Accounts> {
  const kafka = createKafka({ kafkaBrokers, kafkaAuth: "none", region: "local" }, "chaos");
  const deadline = Date.now() + SETTLE_LIMIT_MS;
  return await eventually(() => settleAccounts(kafka, published, besides), {
    until: (accounts) => isSettled(accounts) || Date.now() > deadline,
    limitMs: 2 * SETTLE_LIMIT_MS,
    pauseMs: SETTLE_PAUSE_MS,
  });
}

async function compareReplay(brokers: string, models: string): Promise<ChaosResult["replay"]> {
  const program = join(ROOT, "test", "support", "compare-replay.ts");
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", program, brokers, models],
    { maxBuffer: 1 << 28 },
  );
  return JSON.parse(stdout) as ChaosResult["replay"];
}
