import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { MillraceError } from "../../domain/errors.ts";
import { describeExit, logTail, startProcess, type ProcessSpec, type RunningProcess } from "../processes/process.ts";
import { serverProcess, type ServerDefinition, type ServerName, type ServerPorts } from "./definition.ts";
import type { Installation } from "./install.ts";

/** Time that a server may take to start. It usually needs seconds, but more on a busy machine. */
const READY_LIMIT_MS = 120_000;
const STOP_LIMIT_MS = 15_000;

/** One running server. After `kill` or `stop`, `start` starts it again with the same data and ports. */
export interface Server {
  readonly name: ServerName;
  readonly pid: number;
  /** Resolves when the server answers. */
  start(): Promise<void>;
  /** Sends SIGTERM; resolves when the server has ended. */
  stop(): Promise<void>;
  /** Sends SIGKILL; resolves when the server has ended. */
  kill(): Promise<void>;
}

/**
 * Creates a server's data folder and settings. Returns how to start its process.
 *
 * @throws MillraceError `data-folder-broken`
 */
export function prepareServer(
  definition: ServerDefinition,
  installation: Installation,
  ports: ServerPorts,
  dataDir: string,
  logDir = dataDir,
): ProcessSpec {
  const folder = join(dataDir, definition.name);
  try {
    mkdirSync(folder, { recursive: true });
    return serverProcess(
      definition,
      installation,
      definition.prepare(folder, ports),
      join(logDir, `${definition.name}.log`),
    );
  } catch (cause) {
    if (cause instanceof MillraceError) throw cause;
    throw new MillraceError(
      "data-folder-broken",
      `the data folder of ${definition.title}, ${folder}, cannot be written (${(cause as Error).message}). ` +
        "Free some disk space, give this user access to the folder, or use another one.",
      { cause },
    );
  }
}

/**
 * Starts a prepared server and waits until it answers.
 *
 * @throws MillraceError `server-failed` with the end of its log.
 */
export async function runServer(definition: ServerDefinition, spec: ProcessSpec, ports: ServerPorts): Promise<Server> {
  let process: RunningProcess;
  const start = async (): Promise<void> => {
    process = await startProcess(spec);
    try {
      await untilReady(definition, process, spec.logFile, ports);
    } catch (error) {
      await process.kill();
      throw error;
    }
  };
  await start();
  return {
    name: definition.name,
    get pid() {
      return process.pid;
    },
    start,
    stop: async () => void (await process.stop(STOP_LIMIT_MS)),
    kill: async () => void (await process.kill()),
  };
}

/**
 * Resolves when the server answers.
 *
 * @throws MillraceError `server-failed` with the end of its log when it ends before, or does not answer for two
 *   minutes.
 */
export async function untilReady(
  definition: ServerDefinition,
  process: RunningProcess,
  logFile: string,
  ports: ServerPorts,
): Promise<void> {
  const deadline = performance.now() + READY_LIMIT_MS;
  const ended = process.exited.then((exit) => ({ exit }));
  let refusal: unknown;
  for (;;) {
    const answered = definition.probe(ports).then(
      () => "ready" as const,
      (error: unknown) => {
        refusal = error;
        return delay(100, "retry" as const);
      },
    );
    const outcome = await Promise.race([answered, ended]);
    if (outcome === "ready") return;
    if (outcome !== "retry") throw serverFailed(`ended while it started (${describeExit(outcome.exit)})`);
    if (performance.now() > deadline) {
      const reason = refusal instanceof Error ? refusal.message : String(refusal);
      throw serverFailed(`did not answer within ${READY_LIMIT_MS / 1_000} s (${reason})`, refusal);
    }
  }
  function serverFailed(what: string, cause?: unknown): MillraceError {
    const message =
      `${definition.title} ${what}. Its log ${logFile} ends with\n${logTail(logFile)}\n` +
      "  If its data is damaged, --fresh deletes it. Other causes are a full disk and too little memory.";
    return new MillraceError("server-failed", message, { cause });
  }
}
