import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { createKafka } from "../../adapters/kafka.ts";
import { writeSettings } from "../../config/settings.ts";
import { pickPlatformPorts } from "../../local/processes/ports.ts";
import { type Accounts, isSettled, type Published, settleAccounts } from "../support/accounting.ts";
import { eventually } from "../support/eventually.ts";
import { isRunning, StartedPlatform } from "../support/platform.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const UP_LIMIT_MS = 240_000;
/** How long the platform may take to process everything that was published, and to end its last sessions. */
const SETTLE_LIMIT_MS = 240_000;
/** Each look reads all topics, which the platform should have time between for its own work. */
const SETTLE_PAUSE_MS = 2_000;

export interface ChaosOptions {
  /** Folder of the platform's data. */
  readonly home: string;
  /** Options of the simulator: what is published, and until when. */
  readonly simulator: readonly string[];
  /** Names of the processes to kill, one after the other, until the simulator has ended. */
  readonly victims: Iterable<string>;
  /** From one recovery to the next kill. */
  readonly pauseMs: number;
  readonly onProgress: (message: string) => void;
}

export interface Fault {
  readonly process: string;
  /** Until its successor runs. */
  readonly recoveryMs: number;
}

export interface ChaosResult {
  readonly faults: readonly Fault[];
  readonly accounts: Accounts;
  readonly replay: { readonly compared: number; readonly differences: readonly string[] };
  /** Every reading is accounted for once, and the replay of the log gives the same bytes. */
  readonly ok: boolean;
}

/** Runs once the accounts are settled, before the platform is stopped. */
export type Afterwards = (platform: {
  readonly ports: Readonly<Record<string, number>>;
  readonly published: Published;
  readonly home: string;
}) => Promise<void>;

/** Runs the whole platform, kills processes while the simulator publishes, then accounts for every reading. */
export async function chaos(
  options: ChaosOptions,
  afterwards: Afterwards = () => Promise.resolve(),
): Promise<ChaosResult> {
  const { home } = options;
  const ports = await pickPlatformPorts();
  const platform = new StartedPlatform(home, ports, ["--no-simulator"]);
  let publication: Publication | undefined;
  try {
    await platform.untilUp(UP_LIMIT_MS);
    publication = publish(options, `mqtt://127.0.0.1:${ports.mqtt}`);
    const faults = await killProcesses(platform, options, publication);
    const published = await publication.result;
    options.onProgress("everything is published; settling accounts");
    const brokers = `127.0.0.1:${ports.kafka}`;
    const accounts = await settle(brokers, published);
    const replay = await compareReplay(brokers, join(home, "models"));
    await afterwards({ ports, published, home });
    return { faults, accounts, replay, ok: isSettled(accounts) && replay.differences.length === 0 };
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

async function killProcesses(
  platform: StartedPlatform,
  { victims, pauseMs, onProgress }: ChaosOptions,
  { ended }: Publication,
): Promise<Fault[]> {
  const faults: Fault[] = [];
  for (const name of victims) {
    await delay(pauseMs, undefined, { signal: ended }).catch(() => undefined);
    if (ended.aborted) break;
    const pid = platform.pids()[name];
    if (pid === undefined || !isRunning(pid)) continue;
    const at = Date.now();
    process.kill(pid, "SIGKILL");
    await eventually(() => ({ name, successor: platform.pids()[name] }), {
      until: ({ successor }) => successor !== undefined && successor !== pid && isRunning(successor),
      limitMs: UP_LIMIT_MS,
    });
    faults.push({ process: name, recoveryMs: Date.now() - at });
    onProgress(`killed ${name}; its successor runs after ${faults.at(-1)!.recoveryMs} ms`);
  }
  return faults;
}

/** The accounts once they are settled, or as they are at the limit. */
async function settle(kafkaBrokers: string, published: Published): Promise<Accounts> {
  const kafka = createKafka({ kafkaBrokers, kafkaAuth: "none", region: "local" }, "chaos");
  const deadline = Date.now() + SETTLE_LIMIT_MS;
  return await eventually(() => settleAccounts(kafka, published), {
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
