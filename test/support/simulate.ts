import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const ROOT = join(import.meta.dirname, "..", "..");

/** A simulator that publishes. */
export interface Publication<T> {
  /** Aborted when the simulator has ended. */
  readonly ended: AbortSignal;
  readonly result: Promise<T>;
  stop(): void;
}

/** Starts the simulator as a program; `read` makes the result of its report. */
export function simulate<T>(
  args: readonly string[],
  settings: Readonly<Record<string, string>>,
  report: string,
  read: (text: string) => T,
): Publication<T> {
  const child = spawn(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", join(ROOT, "simulator", "main.ts"), ...args, "--report", report],
    { env: { ...process.env, ...settings }, stdio: ["ignore", "ignore", "inherit"] },
  );
  const ended = new AbortController();
  const result = once(child, "exit").then(([code]) => {
    ended.abort();
    if (code !== 0) throw new Error(`the simulator ended with exit code ${code}`);
    return read(readFileSync(report, "utf8"));
  });
  // Whoever awaits the result gets the failure; until then it is not an unhandled one.
  result.catch(() => undefined);
  return { ended: ended.signal, result, stop: () => void child.kill() };
}
