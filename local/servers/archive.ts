import { rmSync } from "node:fs";
import { pickFreePorts } from "../processes/ports.ts";
import { startProcess } from "../processes/process.ts";
import { archiveName, type ServerDefinition, type ServerPorts } from "./definition.ts";
import type { Installation } from "./install.ts";
import { kafka } from "./kafka.ts";
import { mongodb } from "./mongodb.ts";
import { mqtt } from "./mqtt.ts";
import { prepareServer, untilReady } from "./server.ts";

/** Java writes the archive while it ends. */
const ARCHIVE_LIMIT_MS = 120_000;

/**
 * Archives the classes that servers load until they answer (JEP 350): each is started once and stopped. A server whose
 * classes can't be archived starts without, as all do on a Java that can't.
 *
 * @param dataDir Is made and removed.
 */
export async function archiveClasses(installation: Installation, dataDir: string): Promise<void> {
  const [kafkaPort = 0, kafkaController = 0, mqttPort = 0, mongodbPort = 0] = await pickFreePorts(4);
  const ports = { kafka: kafkaPort, kafkaController, mqtt: mqttPort, dynamodb: 0, mongodb: mongodbPort };
  await Promise.allSettled([kafka, mqtt, mongodb].map((server) => archive(server, installation, ports, dataDir)));
  rmSync(dataDir, { recursive: true, force: true });
}

async function archive(
  server: ServerDefinition,
  installation: Installation,
  ports: ServerPorts,
  dataDir: string,
): Promise<void> {
  const spec = prepareServer(server, installation, ports, dataDir);
  const [java, ...options] = spec.command;
  const running = await startProcess({
    ...spec,
    command: [java, `-XX:ArchiveClassesAtExit=${archiveName(server.name)}`, ...options],
  });
  try {
    await untilReady(server, running, spec.logFile, ports);
  } finally {
    await running.stop(ARCHIVE_LIMIT_MS);
  }
}
