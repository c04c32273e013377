import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { LOOPBACK } from "../config/local.ts";
import { nodeArguments } from "../config/node.ts";
import { SECOND } from "../domain/time.ts";
import { describeExit, type RunningProcess } from "./processes/process.ts";
import type { Program } from "./programs.ts";
import { serverDefinitions, type ServerName, type ServerPorts } from "./servers/index.ts";
import type { Installation } from "./servers/install.ts";
import { prepareServer, untilReady } from "./servers/server.ts";
import type { Unit } from "./supervisor.ts";

const ROOT = join(import.meta.dirname, "..");
const READY_LIMIT_MS = 120 * SECOND;

/**
 * The unit of a server. Creates its data folder and settings.
 *
 * @throws MillraceError `data-folder-broken`
 */
export function serverUnit(
  name: ServerName,
  installation: Installation,
  ports: ServerPorts,
  dataDir: string,
  logDir: string,
): Unit {
  const definition = serverDefinitions[name];
  const spec = prepareServer(definition, installation, ports, dataDir, logDir);
  return {
    name,
    spec,
    ready: (running) => untilReady(definition, running, spec.logFile, ports),
    stopLimitMs: 15 * SECOND,
    mayFinish: false,
  };
}

/** The unit of a program. It gets this process' environment, its settings, and credentials for the local endpoints. */
export function programUnit(program: Program, env: Readonly<Record<string, string | undefined>>, logDir: string): Unit {
  const { name, stopLimitMs, mayFinish, healthPort, heapMb } = program;
  const credentials = {
    AWS_ACCESS_KEY_ID: "local",
    AWS_SECRET_ACCESS_KEY: "local",
    AWS_SESSION_TOKEN: undefined,
    AWS_PROFILE: undefined,
    AWS_EC2_METADATA_DISABLED: "true",
  };
  return {
    name,
    spec: {
      name,
      command: [process.execPath, ...nodeArguments(), `--max-old-space-size=${heapMb}`, program.main, ...program.args],
      env: { ...env, ...credentials, ...program.settings },
      cwd: ROOT,
      logFile: join(logDir, `${name}.log`),
      outlivesInterrupt: false,
    },
    ready: (running) => untilHealthy(name, running, healthPort),
    stopLimitMs,
    mayFinish,
  };
}

/**
 * Resolves when the program answers `GET /health`, even with 503: the program runs, and a dependency may follow later.
 *
 * @throws Error when the program ends before, or does not answer for two minutes.
 */
async function untilHealthy(name: string, running: RunningProcess, port: number): Promise<void> {
  const deadline = performance.now() + READY_LIMIT_MS;
  const ended = running.exited.then((exit) => ({ exit }));
  for (;;) {
    const answered = fetch(`http://${LOOPBACK}:${port}/health`, { signal: AbortSignal.timeout(2_000) }).then(
      () => "ready" as const,
      () => delay(200, "retry" as const),
    );
    const outcome = await Promise.race([answered, ended]);
    if (outcome === "ready") return;
    if (outcome !== "retry") throw new Error(`${name} ended while it started (${describeExit(outcome.exit)})`);
    if (performance.now() > deadline)
      throw new Error(`${name} did not answer GET /health within ${READY_LIMIT_MS / SECOND} s`);
  }
}
