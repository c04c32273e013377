import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";

const ROOT = join(import.meta.dirname, "..", "..", "..");

/** A bridge that faults kill and start again. */
export class BridgeProcess {
  readonly #settings: Readonly<Record<string, string>>;
  readonly #logFile: string;
  readonly #children = new Set<ChildProcess>();
  #current: Released | null = null;

  constructor(settings: Readonly<Record<string, string>>, logFile: string) {
    this.#settings = settings;
    this.#logFile = logFile;
    process.once("exit", () => {
      for (const child of this.#children) child.kill("SIGKILL");
    });
  }

  start(): void {
    const log = openSync(this.#logFile, "a");
    const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", join(ROOT, "bridge", "main.ts")], {
      env: { PATH: process.env["PATH"], ...this.#settings },
      stdio: ["ignore", log, log],
    });
    closeSync(log);
    this.#children.add(child);
    child.once("exit", () => this.#children.delete(child));
    this.#current = new Released(child);
  }

  /** Kills the running process by SIGKILL. */
  async kill(): Promise<void> {
    await this.release().kill();
  }

  /** Stops the running process where it is, and lets go of it. Its connections stay open. */
  freeze(): Released {
    const released = this.release();
    released.child.kill("SIGSTOP");
    return released;
  }

  /** Lets go of the running process, so that `start` starts another beside it. */
  release(): Released {
    const current = this.#current;
    if (!current) throw new Error("no bridge runs");
    this.#current = null;
    return current;
  }

  /** Kills everything that was started. */
  async end(): Promise<void> {
    await Promise.all([...this.#children].map((child) => new Released(child).kill()));
  }
}

/** A process that is no longer the running one. */
class Released {
  readonly child: ChildProcess;

  constructor(child: ChildProcess) {
    this.child = child;
  }

  async kill(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const exited = once(this.child, "exit");
    this.child.kill("SIGKILL");
    await exited;
  }
}
