import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { startServers, type Connections, type Servers } from "../../local/servers/index.ts";

/** Environment variables with the servers' addresses; `npm test` sets them for every suite. */
const variables: Readonly<Record<keyof Connections, string>> = {
  kafkaBrokers: "KAFKA_BROKERS",
  mqttUrl: "MQTT_URL",
  dynamodbEndpoint: "DYNAMODB_ENDPOINT",
  mongodbUri: "MONGODB_URI",
};

/**
 * Addresses of the servers that all suites share. They hold other suites' data: name topics, tables, databases and
 * groups with `uniqueName`. A suite that stops or kills servers starts its own.
 */
export function sharedServers(): Connections {
  const missing = Object.values(variables).filter((name) => !process.env[name]);
  if (missing.length > 0) throw new Error(`${missing.join(", ")} not set: is this suite named *.it.test.ts?`);
  return Object.fromEntries(
    Object.entries(variables).map(([name, variable]) => [name, process.env[variable]]),
  ) as unknown as Connections;
}

let names = 0;
/** A name of letters, digits and dashes that no other suite and no earlier run has used. */
export function uniqueName(prefix: string): string {
  return `${prefix}-${Date.now().toString(36)}-${process.pid}-${names++}`;
}

/** Starts the servers for a run of tests and sets their environment variables. `stop` also removes their data. */
export async function startSharedServers(onProgress: (message: string) => void): Promise<Pick<Servers, "stop">> {
  const dataDir = join(import.meta.dirname, "..", "..", ".millrace", `test-${process.pid}`);
  mkdirSync(dataDir, { recursive: true });
  const servers = await startServers({ dataDir, javaHome: process.env["JAVA_HOME"], onProgress });
  for (const [name, variable] of Object.entries(variables)) process.env[variable] = servers[name as keyof Connections];
  return {
    stop: async () => {
      await servers.stop();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

/** Whether the environment has the addresses of all servers. */
export function serversGiven(): boolean {
  return Object.values(variables).every((name) => process.env[name]);
}
