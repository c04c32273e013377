import { spawn, type ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { LocalPort } from "../../config/local.ts";
import { portOption } from "../../local/options.ts";
import type { PlatformPorts } from "../../local/ports.ts";

const ROOT = join(import.meta.dirname, "..", "..");

/** `npm start` as a test runs it: on its own ports and folder, in a session of its own, as a terminal would give it. */
export class StartedPlatform {
  readonly #child: ChildProcess;
  readonly #home: string;
  readonly exited: Promise<number | null>;
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
  }

  get output(): string {
    return this.#output;
  }

  /** What a terminal does on Ctrl-C: SIGINT for every process of the foreground group. Nothing when all have ended. */
  interrupt(): void {
    try {
      process.kill(-this.#child.pid!, "SIGINT");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
  }

  /** `kill -9` on what npm runs; the start itself is its child. */
  killBootstrap(): void {
    this.#child.kill("SIGKILL");
  }

  /** Process ids by name, `main` being npm start's own; programs and servers as `run.json` has them now. */
  pids(): Readonly<Record<string, number>> {
    const { main, processes } = JSON.parse(readFileSync(join(this.#home, "run.json"), "utf8")) as {
      main: { pid: number };
      processes: Record<string, { pid: number }>;
    };
    return Object.fromEntries(Object.entries({ main, ...processes }).map(([name, { pid }]) => [name, pid]));
  }
}

/** False for a process that has ended; a zombie that nobody has waited for yet has ended, too. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/^\d+ \(.*\) Z/s.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}
