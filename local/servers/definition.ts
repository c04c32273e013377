import { join } from "node:path";
import type { ProcessSpec } from "../process.ts";
import type { Installation } from "./install.ts";

/** The ports that servers listen on; names as in `config/local.ts`. */
export type ServerPort = "kafka" | "kafkaController" | "mqtt" | "dynamodb" | "mongodb";
export type ServerPorts = Readonly<Record<ServerPort, number>>;

export const serverNames = ["kafka", "mqtt", "dynamodb", "mongodb"] as const;
export type ServerName = (typeof serverNames)[number];

/** One kind of server: how it is prepared, started and known to serve. */
export interface ServerDefinition {
  readonly name: ServerName;
  /** What people call it. */
  readonly title: string;
  readonly ports: readonly ServerPort[];
  /** Class in `java/`. */
  readonly mainClass: string;
  /** Options of the Java virtual machine; heaps are bounded, by default each would take a quarter of the machine. */
  readonly javaOptions: readonly string[];
  /**
   * Writes the settings into the server's own data folder, which exists, and gives the launcher's arguments.
   *
   * @throws MillraceError `data-folder-broken` when the folder holds what this server cannot start from.
   */
  prepare(folder: string, ports: ServerPorts): string[];
  /** Rejects until the server answers. */
  probe(ports: ServerPorts): Promise<void>;
}

/** The process of a server whose data is in `<dataDir>/<name>`. */
export function serverProcess(
  definition: ServerDefinition,
  installation: Installation,
  args: readonly string[],
  logFile: string,
): ProcessSpec {
  const log4j = `file:${join(import.meta.dirname, "log4j.properties")}`;
  const common = [
    "-XX:+ExitOnOutOfMemoryError",
    "-XX:-UsePerfData",
    `-Dlog4j.configuration=${log4j}`,
    `-Djava.library.path=${join(installation.folder, "jars")}`,
  ];
  return {
    name: definition.name,
    command: [
      installation.java,
      ...definition.javaOptions,
      ...common,
      "-cp",
      installation.classpath,
      definition.mainClass,
      ...args,
    ],
    env: {},
    cwd: installation.folder,
    logFile,
    outlivesInterrupt: true,
  };
}
