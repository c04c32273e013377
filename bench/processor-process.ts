import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { writeSettings, type Settings } from "../config/settings.ts";
import { cpuOfStat, kilobytes } from "./usage.ts";
import type { Version } from "./versions.ts";

/** Measurements of a running processor, by the operating system and by the program itself. */
export interface Sample {
  /** A monotonic time, ms. */
  readonly at: number;
  /** User and system time, seconds. */
  readonly cpu: number;
  readonly records: number;
  readonly lag: number;
  readonly peakMb: number;
}

/** A processor in its own process, started as in production. */
export class ProcessorProcess {
  readonly #child: ChildProcess;
  readonly #port: number;
  readonly #ended: Promise<void>;

  /** @param onLog Gets each line of the log, which is JSON. @default the log goes to standard error */
  constructor(
    version: Version,
    settings: Partial<Settings<"processor">> & { healthPort: number },
    onLog?: (line: string) => void,
  ) {
    this.#port = settings.healthPort;
    this.#child = spawn(process.execPath, [...version.nodeArguments, join(version.root, "processor", "main.ts")], {
      env: { ...process.env, ...writeSettings("processor", settings) },
      stdio: ["ignore", "ignore", onLog ? "pipe" : "inherit"],
    });
    if (onLog) createInterface(this.#child.stderr!).on("line", onLog);
    this.#ended = new Promise((resolve) => this.#child.once("exit", () => resolve()));
  }

  /** Null when the processor does not answer. */
  async sample(): Promise<Sample | null> {
    try {
      const response = await fetch(`http://127.0.0.1:${this.#port}/metrics`, {
        headers: { accept: "application/json" },
      });
      const metrics = (await response.json()) as Record<string, number>;
      return {
        at: performance.now(),
        ...this.usage(),
        records: metrics["processor.records"] ?? 0,
        lag: metrics["processor.lag"] ?? Infinity,
      };
    } catch {
      return null;
    }
  }

  /** Reads /proc: these measurements need Linux. */
  usage(): Pick<Sample, "cpu" | "peakMb"> {
    const read = (file: string): string => readFileSync(`/proc/${this.#child.pid}/${file}`, "utf8");
    return { cpu: cpuOfStat(read("stat")), peakMb: kilobytes(read("status"), "VmHWM") / 1_024 };
  }

  async kill(signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    this.#child.kill(signal);
    await this.#ended;
  }
}

/**
 * Calls `poll` every `pollMs` until it returns a value.
 *
 * @throws Error with `name` after `limitMs`
 */
export async function until<T>(name: string, limitMs: number, poll: () => Promise<T | null>, pollMs = 20): Promise<T> {
  for (const deadline = Date.now() + limitMs; Date.now() < deadline;) {
    const found = await poll();
    if (found !== null) return found;
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
  throw new Error(`${name}: not within ${limitMs / 1_000} s`);
}
