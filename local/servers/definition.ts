import { join } from "node:path";
import type { ProcessSpec } from "../processes/process.ts";
import type { Installation } from "./install.ts";

/** The ports that servers listen on, named as in `config/local.ts`. */
export type ServerPort = "kafka" | "kafkaController" | "mqtt" | "dynamodb" | "mongodb";
export type ServerPorts = Readonly<Record<ServerPort, number>>;

export const serverNames = ["kafka", "mqtt", "dynamodb", "mongodb"] as const;
export type ServerName = (typeof serverNames)[number];

/** One kind of server: how it is prepared, started and probed. */
export interface ServerDefinition {
  readonly name: ServerName;
  /** Name for messages. */
  readonly title: string;
  readonly ports: readonly ServerPort[];
  /** Class in `java/`. */
  readonly mainClass: string;
  /** Options of the Java virtual machine. They bound the heap: its default maximum is a quarter of the memory. */
  readonly javaOptions: readonly string[];
  /**
   * Writes the settings into the server's data folder, which exists. Returns the launcher's arguments.
   *
   * @throws MillraceError `data-folder-broken` when the server cannot start from the folder's content.
   */
  prepare(folder: string, ports: ServerPorts): string[];
  /** Resolves when the server answers, rejects when it does not. */
  probe(ports: ServerPorts): Promise<void>;
}

/** By default each thread may get an arena of the C library's memory of its own, and keep what it once held. */
const serverEnvironment = { MALLOC_ARENA_MAX: "2" };

/** How to start the process of a server that is prepared. */
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
    env: serverEnvironment,
    cwd: installation.folder,
    logFile,
    outlivesInterrupt: true,
  };
}
