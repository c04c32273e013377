import { spawn, type ChildProcess } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { dirname } from "node:path";

/** How to start a process: a program of Millrace or a server. */
export interface ProcessSpec {
  readonly name: string;
  readonly command: readonly [string, ...string[]];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** Standard output and standard error are appended to it. */
  readonly logFile: string;
  /**
   * Whether the process ignores SIGINT and SIGHUP. A terminal's Ctrl-C reaches every process of the session, but
   * servers must outlive the programs. They end on SIGTERM, or when this process ends and closes their standard input.
   */
  readonly outlivesInterrupt: boolean;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface RunningProcess {
  readonly pid: number;
  /** Resolves when the process has ended; never rejects. */
  readonly exited: Promise<Exit>;
  /** Sends SIGTERM, and SIGKILL after `limitMs`; resolves when the process has ended. */
  stop(limitMs: number): Promise<Exit>;
  /** Sends SIGKILL; resolves when the process has ended. */
  kill(): Promise<Exit>;
}

/**
 * Starts a process.
 *
 * @throws Error of the system when the command cannot be run.
 */
export async function startProcess(spec: ProcessSpec): Promise<RunningProcess> {
  mkdirSync(dirname(spec.logFile), { recursive: true });
  const log = openSync(spec.logFile, "a");
  const [file, ...args] = spec.outlivesInterrupt
    ? (["/bin/sh", "-c", 'trap "" INT HUP; exec "$@"', "sh", ...spec.command] as const)
    : spec.command;
  let child: ChildProcess;
  try {
    child = spawn(file, args, {
      cwd: spec.cwd,
      env: spec.env,
      stdio: [spec.outlivesInterrupt ? "pipe" : "ignore", log, log],
    });
  } finally {
    closeSync(log);
  }
  const exited = new Promise<Exit>((resolve) => child.once("exit", (code, signal) => resolve({ code, signal })));
  await new Promise<void>((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", reject);
  });
  // From here on, an error only means that a signal came too late: the process has ended already.
  child.on("error", () => undefined);
  child.stdin?.on("error", () => undefined);
  return {
    pid: child.pid!,
    exited,
    async stop(limitMs) {
      child.kill("SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), limitMs);
      try {
        return await exited;
      } finally {
        clearTimeout(timer);
      }
    },
    async kill() {
      child.kill("SIGKILL");
      return await exited;
    },
  };
}

/** Such as "exit code 1" or "SIGKILL". */
export function describeExit(exit: Exit): string {
  return exit.signal ?? (exit.code === null ? "could not be run" : `exit code ${exit.code}`);
}

/** The last lines of a log file, indented for a message. */
export function logTail(logFile: string, lines = 8): string {
  try {
    const all = readFileSync(logFile, "utf8").trimEnd().split("\n");
    return all
      .slice(-lines)
      .map((line) => `    ${line.slice(0, 300)}`)
      .join("\n");
  } catch {
    return "    (no log)";
  }
}
