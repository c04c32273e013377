import { join } from "node:path";
import type { BenchOptions } from "./options.ts";

/** What `npm run bench` can measure: one entry of the table in `main.ts`. */
export interface Scenario {
  /** One line of the usage text. */
  readonly about: string;
  /** Whether it runs only when `--only` names it. @default false */
  readonly onlyByName?: boolean;
  readonly run: (bench: Bench) => Promise<void>;
}

/** One run of `npm run bench`: its command line, and where results go. */
export class Bench {
  readonly options: BenchOptions;
  readonly results: Record<string, object> = {};
  readonly #root: string;

  constructor(options: BenchOptions, root: string) {
    this.options = options;
    this.#root = root;
  }

  /** Records a result for `--json`, or prints its line. */
  report(name: string, result: object, line: string): void {
    this.results[name] = result;
    this.print(`${name.padEnd(24)} ${line}`);
  }

  /** Prints lines for people; `--json` leaves them out. */
  print(text: string): void {
    if (!this.options.json) console.log(text);
  }

  /** A file or folder of this clone. */
  path(...parts: string[]): string {
    return join(this.#root, ...parts);
  }

  /** A folder for a scenario's data. Kafka splits a list of folders at commas, so the name contains none. */
  folder(name: string): string {
    return this.path(".millrace", "bench", `${name.replaceAll(/\W+/g, "-")}-${process.pid}`);
  }
}

export function million(value: number): string {
  return `${(value / 1e6).toFixed(2)} M`;
}

/** Milliseconds as seconds. */
export function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}
