import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { nodeArguments } from "../config/node.ts";
import { writeSettings, type Settings } from "../config/settings.ts";

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

  constructor(settings: Partial<Settings<"processor">> & { healthPort: number }) {
    this.#port = settings.healthPort;
    const program = join(import.meta.dirname, "..", "processor", "main.ts");
    this.#child = spawn(process.execPath, [...nodeArguments("processor"), program], {
      env: { ...process.env, ...writeSettings("processor", settings) },
      stdio: ["ignore", "ignore", "inherit"],
    });
    this.#ended = new Promise((resolve) => this.#child.once("exit", () => resolve()));
  }

  /** Null when the processor does not answer. */
  async sample(): Promise<Sample | null> {
    try {
      const response = await fetch(`http://127.0.0.1:${this.#port}/metrics`);
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

  /** Reads /proc. Linux counts CPU time in ticks of 10 ms. */
  usage(): Pick<Sample, "cpu" | "peakMb"> {
    const pid = this.#child.pid!;
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ");
    const peak = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))!;
    return { cpu: (Number(fields[11]) + Number(fields[12])) / 100, peakMb: Number(peak[1]) / 1_024 };
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
