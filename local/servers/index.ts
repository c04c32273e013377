import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { MillraceError } from "../../domain/errors.ts";
import { pickFreePorts } from "../processes/ports.ts";
import { describeExit, logTail, startProcess, type ProcessSpec, type RunningProcess } from "../processes/process.ts";
import {
  serverNames,
  serverProcess,
  type ServerDefinition,
  type ServerName,
  type ServerPort,
  type ServerPorts,
} from "./definition.ts";
import { dynamodb, dynamodbEndpoint } from "./dynamodb.ts";
import { installServers, type Installation } from "./install.ts";
import { kafka, kafkaBrokers } from "./kafka.ts";
import { mongodb, mongodbUri } from "./mongodb.ts";
import { mqtt, mqttUrl } from "./mqtt.ts";

export { serverNames, type ServerName, type ServerPort, type ServerPorts } from "./definition.ts";

export const serverDefinitions: Readonly<Record<ServerName, ServerDefinition>> = { kafka, mqtt, dynamodb, mongodb };

/** Folder of the servers' jars, shared by everything in this clone that starts servers. */
export const SERVERS_FOLDER = join(import.meta.dirname, "..", "..", ".millrace", "servers");

/** Time that a server may take to start. It usually needs seconds, but more on a busy machine. */
const READY_LIMIT_MS = 120_000;
const STOP_LIMIT_MS = 15_000;

/** Addresses of the servers. The names are those of the programs' settings. */
export interface Connections {
  readonly kafkaBrokers: string;
  readonly mqttUrl: string;
  readonly dynamodbEndpoint: string;
  readonly mongodbUri: string;
}

export function connectionsTo(ports: ServerPorts): Connections {
  return {
    kafkaBrokers: kafkaBrokers(ports),
    mqttUrl: mqttUrl(ports),
    dynamodbEndpoint: dynamodbEndpoint(ports),
    mongodbUri: mongodbUri(ports),
  };
}

export interface ServersOptions {
  /** @default all */
  readonly which?: readonly ServerName[];
  /** @default free ports */
  readonly ports?: Partial<ServerPorts>;
  /** Each server keeps its data in the subfolder `<name>`, and its log in the file `<name>.log`. */
  readonly dataDir: string;
  readonly javaHome?: string | undefined;
  readonly onProgress?: (message: string) => void;
}

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

export interface Servers extends Connections {
  readonly ports: ServerPorts;
  /** @throws Error when that server was not started. */
  server(name: ServerName): Server;
  /** Stops all servers. They also stop by themselves when this process ends. */
  stop(): Promise<void>;
}

/**
 * Installs servers, starts them on loopback, and waits until they answer. They ignore Ctrl-C, and stop when this
 * process ends, however it ends.
 *
 * @throws MillraceError `prerequisite-missing`, `data-folder-broken`, or `server-failed` with the end of the server's
 *   log.
 */
export async function startServers(options: ServersOptions): Promise<Servers> {
  const onProgress = options.onProgress ?? (() => undefined);
  const installation = await installServers({ folder: SERVERS_FOLDER, javaHome: options.javaHome, onProgress });
  const which = options.which ?? serverNames;
  const ports = await completePorts(options.ports ?? {});
  const servers = new Map<ServerName, Server>();
  const stop = async (): Promise<void> =>
    void (await Promise.all([...servers.values()].map((server) => server.stop())));
  const results = await Promise.allSettled(
    which.map(async (name) => {
      const definition = serverDefinitions[name];
      onProgress(`starting ${definition.title}`);
      const spec = prepareServer(definition, installation, ports, options.dataDir);
      servers.set(name, await runServer(definition, spec, ports));
      onProgress(`${definition.title} is running`);
    }),
  );
  const failed = results.find((result) => result.status === "rejected");
  if (failed) {
    await stop();
    throw failed.reason;
  }
  const server = (name: ServerName): Server => {
    const found = servers.get(name);
    if (!found) throw new Error(`${name} was not started; started are ${which.join(", ")}`);
    return found;
  };
  return { ...connectionsTo(ports), ports, server, stop };
}

async function completePorts(given: Partial<ServerPorts>): Promise<ServerPorts> {
  const needed: ServerPort[] = ["kafka", "kafkaController", "mqtt", "dynamodb", "mongodb"];
  const free = await pickFreePorts(needed.length);
  return { ...(Object.fromEntries(needed.map((name, i) => [name, free[i]!])) as Record<ServerPort, number>), ...given };
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
