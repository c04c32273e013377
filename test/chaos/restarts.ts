import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** What the processors' log says of their tasks. */
export interface Restarts {
  /** New lives of tasks, by the reason of the one before. */
  readonly restarted: Readonly<Record<string, number>>;
  /** Tasks that another owner took over while they ran. */
  readonly fenced: number;
  /** Tasks that stopped by name, with the reason. */
  readonly stopped: readonly string[];
}

interface LogLine {
  readonly msg?: string;
  readonly task?: string;
  readonly err?: { readonly type?: string; readonly code?: string; readonly message?: string };
}

/** Reads the log of the platform's processor. */
export function readRestarts(home: string): Restarts {
  const file = join(home, "logs", "processor.log");
  const restarted: Record<string, number> = {};
  const stopped = new Set<string>();
  let fenced = 0;
  for (const text of existsSync(file) ? readFileSync(file, "utf8").split("\n") : []) {
    const line = parse(text);
    const reason = line?.err?.code ?? line?.err?.type ?? "unknown";
    if (line?.msg === "task starts again") restarted[reason] = (restarted[reason] ?? 0) + 1;
    if (line?.msg === "task was fenced") fenced++;
    // It is logged again while the task stands.
    if (line?.msg === "task stopped with a named error") stopped.add(`${line.task}: ${reason}: ${line.err?.message}`);
  }
  return { restarted, fenced, stopped: [...stopped] };
}

function parse(text: string): LogLine | null {
  try {
    return JSON.parse(text) as LogLine;
  } catch {
    return null;
  }
}
