import { spawn, type ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { LOOPBACK, type LocalPort } from "../config/local.ts";
import { nodeArguments } from "../config/node.ts";
import { portOption } from "../local/options.ts";
import { pickPlatformPorts, type PlatformPorts } from "../local/processes/ports.ts";
import { parseStatusLine, type StatusFields } from "./status-lines.ts";

/** Status lines are kept for this long a run: one in five seconds, for two hours. */
const MAX_STATUS_LINES = 1_440;
const PRINTED_LINES = 20;

/** `npm start` on free ports, as a process of its own. */
export class NpmStart {
  readonly home: string;
  readonly ports: PlatformPorts;
  /** From the start of the process until it said that Millrace is running, ms. */
  readonly readyMs: number;
  /** What the status lines said since the start, oldest first. */
  readonly status: readonly StatusFields[];
  readonly #child: ChildProcess;

  private constructor(
    home: string,
    ports: PlatformPorts,
    readyMs: number,
    status: StatusFields[],
    child: ChildProcess,
  ) {
    this.home = home;
    this.ports = ports;
    this.readyMs = readyMs;
    this.status = status;
    this.#child = child;
  }

  /**
   * Resolves when it runs.
   *
   * @param args Further options of `npm start`.
   * @throws Error with the end of its output when it ends before
   */
  static async run(root: string, home: string, args: readonly string[]): Promise<NpmStart> {
    const ports = await pickPlatformPorts();
    const portArguments = Object.entries(ports).flatMap(([name, port]) => [
      portOption(name as LocalPort),
      String(port),
    ]);
    const startedAt = performance.now();
    const child = spawn(
      process.execPath,
      [...nodeArguments(), join(root, "local", "main.ts"), "--home", home, ...portArguments, ...args],
      { cwd: root, stdio: ["ignore", "pipe", "pipe"] },
    );
    const status: StatusFields[] = [];
    const printed: string[] = [];
    const readyMs = await new Promise<number>((resolve, reject) => {
      const take = (line: string): void => {
        if (line === "Millrace is running") resolve(performance.now() - startedAt);
        const fields = parseStatusLine(line);
        if (fields && status.length < MAX_STATUS_LINES) status.push(fields);
        if (!fields) printed.push(line);
        if (printed.length > PRINTED_LINES) printed.shift();
      };
      for (const stream of [child.stdout, child.stderr]) createInterface(stream).on("line", take);
      child.once("exit", () => reject(new Error(`npm start has ended. It said:\n${printed.join("\n")}`)));
    });
    return new NpmStart(home, ports, readyMs, status, child);
  }

  get api(): string {
    return `http://${LOOPBACK}:${this.ports.api}`;
  }

  /** Process ids of servers and programs, and of `npm start` itself as `main`. */
  pids(): Record<string, number> {
    const { main, processes } = this.#runFile();
    const entries = Object.entries({ ...processes, main });
    return Object.fromEntries(entries.map(([name, { pid }]) => [name, pid]));
  }

  /** `GET /metrics` of a program; empty when it does not answer. */
  async metrics(program: string): Promise<Readonly<Record<string, unknown>>> {
    try {
      const port = this.#runFile().healthPorts[program];
      const response = await fetch(`http://${LOOPBACK}:${port}/metrics`, {
        headers: { accept: "application/json" },
        signal: AbortSignal.timeout(2_000),
      });
      return (await response.json()) as Record<string, unknown>;
    } catch {
      return {};
    }
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = new Promise((resolve) => this.#child.once("exit", resolve));
    this.#child.kill("SIGTERM");
    await ended;
  }

  #runFile(): {
    readonly main: { readonly pid: number };
    readonly processes: Readonly<Record<string, { readonly pid: number }>>;
    readonly healthPorts: Readonly<Record<string, number>>;
  } {
    return JSON.parse(readFileSync(join(this.home, "run.json"), "utf8"));
  }
}
