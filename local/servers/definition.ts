import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
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
  /** Folders with jars that only this server has. */
  readonly moreJars: readonly string[];
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

/** In the folder of the installation: the launchers, the jars of all servers, and those of DynamoDB alone. */
export const LAUNCHERS = "launchers.jar";
export const JARS = "jars";
export const DYNAMODB_JARS = "dynamodb";

/** The file of a server's archived classes, in the folder of the installation. */
export const archiveName = (server: ServerName): string => `${server}.jsa`;

const serverEnvironment = {
  /** By default each thread may get an arena of the C library's memory of its own, and keep what it once held. */
  MALLOC_ARENA_MAX: "2",
  /** By default DynamoDB Local tells Amazon how it is used. */
  DDB_LOCAL_TELEMETRY: "0",
};

/** How to start the process of a server that is prepared. */
export function serverProcess(
  definition: ServerDefinition,
  installation: Installation,
  args: readonly string[],
  logFile: string,
): ProcessSpec {
  const log4j = `file:${join(import.meta.dirname, "log4j.properties")}`;
  const archive = archiveName(definition.name);
  const common = [
    "-XX:+ExitOnOutOfMemoryError",
    "-XX:-UsePerfData",
    `-Dlog4j.configuration=${log4j}`,
    `-Djava.library.path=${join(installation.folder, JARS)}`,
  ];
  return {
    name: definition.name,
    command: [
      installation.java,
      ...definition.javaOptions,
      ...common,
      ...(existsSync(join(installation.folder, archive)) ? [`-XX:SharedArchiveFile=${archive}`] : []),
      "-cp",
      // As it was when the classes were archived: relative to the folder, which had another name then.
      [LAUNCHERS, join(JARS, "*"), ...definition.moreJars.map((folder) => join(folder, "*"))].join(delimiter),
      definition.mainClass,
      ...args,
    ],
    env: serverEnvironment,
    cwd: installation.folder,
    logFile,
    outlivesInterrupt: true,
  };
}
