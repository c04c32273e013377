import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { LOOPBACK } from "../config/local.ts";
import { nodeArguments } from "../config/node.ts";
import { SECOND } from "../domain/time.ts";
import { describeExit, type RunningProcess } from "./process.ts";
import type { Program } from "./programs.ts";
import { prepareServer, serverDefinitions, untilReady, type ServerName, type ServerPorts } from "./servers/index.ts";
import type { Installation } from "./servers/install.ts";
import type { Unit } from "./supervisor.ts";

const ROOT = join(import.meta.dirname, "..");
const READY_LIMIT_MS = 120 * SECOND;

/** A server as something to supervise. @throws MillraceError `data-folder-broken` */
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

/**
 * A program as something to supervise: it gets this process' environment, its settings, and credentials that local
 * endpoints take.
 */
export function programUnit(program: Program, env: Readonly<Record<string, string | undefined>>, logDir: string): Unit {
  const { name, stopLimitMs, mayFinish, healthPort } = program;
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
      command: [process.execPath, ...nodeArguments(name), program.main, ...program.args],
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

/** Resolves when `GET /health` is answered, be it with 503: what a program waits for may come later. */
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
    if (outcome !== "retry") throw new Error(`${name} ended at its start (${describeExit(outcome.exit)})`);
    if (performance.now() > deadline)
      throw new Error(`${name} did not answer GET /health within ${READY_LIMIT_MS / SECOND} s`);
  }
}
