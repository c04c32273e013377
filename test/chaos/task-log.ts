import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { errorCodes } from "../../domain/errors.ts";
import { kafkaFailures } from "../../processor/engine/failure-classes.ts";

/** What the tasks of all processors did during a fault. */
export interface TaskEvents {
  /** Lives that ended and began again inside a process, by reason. */
  readonly restarts: Readonly<Record<string, number>>;
  /** Restarts whose reason is none of the failure table. */
  readonly unnamed: readonly string[];
  readonly fenced: number;
  /** Named errors that stopped a task. */
  readonly stopped: readonly string[];
  /** Lives that came as far as running. */
  readonly lives: number;
}

interface LoggedError {
  readonly type?: string;
  readonly message?: string;
  readonly code?: unknown;
  readonly cause?: LoggedError;
  readonly originalError?: LoggedError;
}

/** Reads what the processors' logs have more than at the last look. */
export class TaskLog {
  readonly #files: readonly string[];
  readonly #read = new Map<string, number>();

  /** @param home The platform's folder */
  constructor(home: string) {
    this.#files = ["processor", "processor-2", "processor-market"].map((name) => join(home, "logs", `${name}.log`));
  }

  next(): TaskEvents {
    const restarts: Record<string, number> = {};
    const unnamed: string[] = [];
    const stopped = new Set<string>();
    let [fenced, lives] = [0, 0];
    for (const { msg, task, code, err, repeated = 1 } of this.#files.flatMap((file) => this.#newLines(file))) {
      if (msg === "task runs") lives++;
      if (msg === "task was fenced") fenced += repeated;
      if (msg === "task stopped with a named error") stopped.add(`${task}: ${code}`);
      if (msg !== "task starts again") continue;
      const reason = reasonOf(err);
      const name = reason ?? "unnamed";
      restarts[name] = (restarts[name] ?? 0) + repeated;
      if (reason === null) unnamed.push(`${task}: ${err?.type} ${err?.message}`);
    }
    return { restarts, unnamed, fenced, stopped: [...stopped], lives };
  }

  #newLines(file: string): { msg?: string; task?: string; code?: string; err?: LoggedError; repeated?: number }[] {
    if (!existsSync(file)) return [];
    const text = readFileSync(file, "utf8");
    // The last line may not be whole yet.
    const end = text.lastIndexOf("\n") + 1;
    const lines = text.slice(this.#read.get(file) ?? 0, end).split("\n");
    this.#read.set(file, end);
    return lines.flatMap((line) => {
      try {
        return [JSON.parse(line) as { msg?: string }];
      } catch {
        return []; // not of the logger
      }
    });
  }
}

/** The table's name for what ended a life: a named error, an answer of Kafka, or that there was none; else null. */
function reasonOf(error: LoggedError | undefined): string | null {
  for (let at = error; at; at = at.cause ?? at.originalError) {
    const { code, type = "", message = "" } = at;
    if (typeof code === "number" && kafkaFailures.has(code)) return kafkaFailures.get(code)!.name;
    if (typeof code === "string" && code in errorCodes) return code;
    if (/Connection|Timeout|BrokerNotFound|NumberOfRetries|TopicMetadata|GroupCoordinator/.test(type))
      return "no answer";
    if (/ECONN|EPIPE|socket hang up|timed? ?out/i.test(`${String(code)} ${message}`)) return "no answer";
  }
  return null;
}
