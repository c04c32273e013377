import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LocalPort } from "../../config/local.ts";
import { portOption } from "../../local/options.ts";
import { pickPlatformPorts, type PlatformPorts } from "../../local/processes/ports.ts";
import { eventually } from "./eventually.ts";

const ROOT = join(import.meta.dirname, "..", "..");

/** `npm start` on its own ports and folder. Like in a terminal, it has its own session. */
export class StartedPlatform {
  readonly #child: ChildProcess;
  readonly #home: string;
  /** Resolves with the exit code. */
  readonly exited: Promise<number | null>;
  #hasExited = false;
  #output = "";

  /** @param env Settings of the programs, such as `SESSION_GAP_MS`. */
  constructor(home: string, ports: PlatformPorts, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    this.#home = home;
    const portArguments = Object.entries(ports).flatMap(([name, port]) => [
      portOption(name as LocalPort),
      String(port),
    ]);
    // The servers of the test run are not this platform's.
    const { KAFKA_BROKERS: _k, MQTT_URL: _m, DYNAMODB_ENDPOINT: _d, MONGODB_URI: _u, ...inherited } = process.env;
    const command = [join(ROOT, "local", "bootstrap.mjs"), "local/main.ts", "--home", home, ...portArguments, ...args];
    this.#child = spawn(process.execPath, command, {
      cwd: ROOT,
      env: { ...inherited, ...env },
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
    });
    for (const stream of [this.#child.stdout!, this.#child.stderr!])
      stream.setEncoding("utf8").on("data", (text: string) => (this.#output += text));
    this.exited = new Promise((resolve) => this.#child.once("close", resolve));
    void this.exited.then(() => (this.#hasExited = true));
  }

  /**
   * Resolves when everything has been started.
   *
   * @throws Error with the output when the start ends before, or takes longer than `limitMs`
   */
  async untilUp(limitMs: number): Promise<void> {
    const isUp = (): boolean => this.#output.includes("Ctrl-C stops all of it.");
    await eventually(() => isUp() || this.#hasExited, { until: Boolean, limitMs }).catch(() => undefined);
    if (!isUp()) throw new Error(`npm start ${this.#hasExited ? "ended" : "is not up"}. Its output:\n${this.#output}`);
  }

  get output(): string {
    return this.#output;
  }

  /** Resolves when another process than `pid` runs by this name. */
  async untilSucceeded(name: string, pid: number, limitMs: number): Promise<void> {
    await eventually(() => ({ name, successor: this.pids()[name] }), {
      until: ({ successor }) => successor !== undefined && successor !== pid && isRunning(successor),
      limitMs,
    });
  }

  /** Sends SIGINT to every process of the group, as a terminal does on Ctrl-C. Does nothing when all have ended. */
  interrupt(): void {
    try {
      process.kill(-this.#child.pid!, "SIGINT");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
  }

  /** Sends SIGKILL to the process that npm runs. `npm start` itself is its child. */
  killBootstrap(): void {
    this.#child.kill("SIGKILL");
  }

  /**
   * Process ids by name: `main` is `npm start` itself, the others are its programs and servers. Call `untilUp` first.
   *
   * @throws Error with the output when there is no run.json: the start has not come that far, or has stopped
   */
  pids(): Readonly<Record<string, number>> {
    const file = join(this.#home, "run.json");
    if (!existsSync(file)) throw new Error(`${file} does not exist. The output of npm start:\n${this.#output}`);
    const { main, processes } = JSON.parse(readFileSync(file, "utf8")) as {
      main: { pid: number };
      processes: Record<string, { pid: number }>;
    };
    return Object.fromEntries(Object.entries({ main, ...processes }).map(([name, { pid }]) => [name, pid]));
  }
}

/** Longest time that a start may take, in ms. */
const START_LIMIT_MS = 240_000;

/** A platform that is up. */
export interface Attempt {
  readonly platform: StartedPlatform;
  readonly ports: PlatformPorts;
  /** Deleted at the end. The platform's own folder is `home` in it. */
  readonly folder: string;
}

/** Runs `npm start` on ports and in a folder of its own while `body` runs: each attempt of a test begins anew. */
export async function withPlatform(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  body: (attempt: Attempt) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "millrace-platform-"));
  const ports = await pickPlatformPorts();
  const platform = new StartedPlatform(join(folder, "home"), ports, args, env);
  try {
    await platform.untilUp(START_LIMIT_MS);
    await body({ platform, ports, folder });
  } finally {
    platform.interrupt();
    await platform.exited;
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Whether a process runs. A zombie has ended. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/^\d+ \(.*\) Z/s.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}
