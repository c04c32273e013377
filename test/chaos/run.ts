import { execFile, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { createKafka } from "../../adapters/kafka.ts";
import { writeSettings } from "../../config/settings.ts";
import { pickPlatformPorts } from "../../local/ports.ts";
import { type Accounts, isSettled, type Published, settleAccounts } from "../support/accounting.ts";
import { isRunning, StartedPlatform } from "../support/platform.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const UP_LIMIT_MS = 240_000;
/** How long the platform may take to be done with what was published, and to end its last sessions. */
const SETTLE_LIMIT_MS = 240_000;

export interface ChaosOptions {
  /** Folder of the platform's data. */
  readonly home: string;
  /** Options of the simulator: what is published, and until when. */
  readonly simulator: readonly string[];
  /** Names of processes to kill, one after the other, until the simulator has ended; none for a quiet run. */
  readonly victims: Iterable<string>;
  /** From one recovery to the next kill. */
  readonly pauseMs: number;
  readonly note: (message: string) => void;
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
  /** Every reading accounted for once, and the replay of the log gives the same bytes. */
  readonly ok: boolean;
}

/** What a test does with the platform once the accounts are settled, before it is stopped. */
export type Afterwards = (platform: {
  readonly ports: Readonly<Record<string, number>>;
  readonly published: Published;
  readonly home: string;
}) => Promise<void>;

/** Runs the whole platform, publishes, kills processes meanwhile by SIGKILL, then accounts for every reading. */
export async function chaos(
  options: ChaosOptions,
  afterwards: Afterwards = () => Promise.resolve(),
): Promise<ChaosResult> {
  const ports = await pickPlatformPorts();
  const platform = new StartedPlatform(options.home, ports, ["--no-simulator"]);
  try {
    await until("the platform is up", UP_LIMIT_MS, () => platform.output.includes("Ctrl-C stops all of it."));
    const report = join(options.home, "published.json");
    const simulator = spawn(
      process.execPath,
      [
        "--disable-warning=ExperimentalWarning",
        join(ROOT, "simulator", "main.ts"),
        ...options.simulator,
        "--report",
        report,
      ],
      {
        env: {
          ...process.env,
          ...writeSettings("simulator", {
            mqttUrl: `mqtt://127.0.0.1:${ports.mqtt}`,
            logLevel: "error",
            healthPort: 0,
          }),
        },
        stdio: ["ignore", "ignore", "inherit"],
      },
    );
    let ended = false;
    const finished = new Promise<number | null>((resolve) =>
      simulator.once("exit", (code) => {
        ended = true;
        resolve(code);
      }),
    );
    const faults = await killThem(platform, options, () => ended);
    const code = await finished;
    if (code !== 0) throw new Error(`the simulator ended with exit code ${code}`);
    const published = (JSON.parse(readFileSync(report, "utf8")) as { sensors: Published }).sensors;
    const kafka = createKafka(
      { kafkaBrokers: `127.0.0.1:${ports.kafka}`, kafkaAuth: "none", region: "local" },
      "chaos",
    );
    options.note("everything is published; settling accounts");
    let accounts = await settleAccounts(kafka, published);
    for (const deadline = Date.now() + SETTLE_LIMIT_MS; !isSettled(accounts) && Date.now() < deadline;) {
      await delay(2_000);
      accounts = await settleAccounts(kafka, published);
    }
    const compared = await promisify(execFile)(
      process.execPath,
      [
        "--disable-warning=ExperimentalWarning",
        join(ROOT, "test", "support", "compare-replay.ts"),
        `127.0.0.1:${ports.kafka}`,
        join(options.home, "models"),
      ],
      { maxBuffer: 1 << 28 },
    );
    const replay = JSON.parse(compared.stdout) as ChaosResult["replay"];
    await afterwards({ ports, published, home: options.home });
    return { faults, accounts, replay, ok: isSettled(accounts) && replay.differences.length === 0 };
  } catch (error) {
    throw new Error(`${(error as Error).message}\n--- the platform said:\n${platform.output.slice(-3_000)}`, {
      cause: error,
    });
  } finally {
    platform.interrupt();
    await platform.exited;
  }
}

async function killThem(
  platform: StartedPlatform,
  { victims, pauseMs, note }: ChaosOptions,
  isOver: () => boolean,
): Promise<Fault[]> {
  const faults: Fault[] = [];
  for (const name of victims) {
    for (const until_ = Date.now() + pauseMs; Date.now() < until_ && !isOver();) await delay(50);
    if (isOver()) break;
    const pid = platform.pids()[name];
    if (pid === undefined || !isRunning(pid)) continue;
    const at = Date.now();
    process.kill(pid, "SIGKILL");
    await until(`${name} is back`, UP_LIMIT_MS, () => {
      const successor = platform.pids()[name];
      return successor !== undefined && successor !== pid && isRunning(successor);
    });
    faults.push({ process: name, recoveryMs: Date.now() - at });
    note(`killed ${name}; its successor runs after ${faults.at(-1)!.recoveryMs} ms`);
  }
  return faults;
}

async function until(what: string, limitMs: number, holds: () => boolean): Promise<void> {
  for (const deadline = Date.now() + limitMs; !holds();) {
    if (Date.now() > deadline) throw new Error(`not within ${limitMs / 1_000} s: ${what}`);
    await delay(50);
  }
}
