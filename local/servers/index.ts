import { join } from "node:path";
import { pickFreePorts } from "../processes/ports.ts";
import {
  serverNames,
  type ServerDefinition,
  type ServerName,
  type ServerPort,
  type ServerPorts,
} from "./definition.ts";
import { dynamodb, dynamodbEndpoint } from "./dynamodb.ts";
import { installServers } from "./install.ts";
import { kafka, kafkaBrokers } from "./kafka.ts";
import { mongodb, mongodbUri } from "./mongodb.ts";
import { mqtt, mqttUrl } from "./mqtt.ts";
import { prepareServer, runServer, type Server } from "./server.ts";

export { serverNames, type ServerName, type ServerPort, type ServerPorts } from "./definition.ts";

export const serverDefinitions: Readonly<Record<ServerName, ServerDefinition>> = { kafka, mqtt, dynamodb, mongodb };

/** Folder of the servers' jars, shared by everything in this clone that starts servers. */
export const SERVERS_FOLDER = join(import.meta.dirname, "..", "..", ".millrace", "servers");

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
