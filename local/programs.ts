import { join } from "node:path";
import { LOOPBACK } from "../config/local.ts";
import { writeSettings } from "../config/settings.ts";
import { dynamoTableName, featureGroupName } from "../domain/names.ts";
import { SECOND, type Milliseconds } from "../domain/time.ts";
import type { StartOptions } from "./options.ts";
import type { Connections } from "./servers/index.ts";

/** The environment's name on one machine: it stands in the names of tables, groups and transactions. */
export const LOCAL_ENVIRONMENT = "local";

/** One program of the platform, as `npm start` runs it. */
export interface Program {
  readonly name: string;
  /** Path from the repository's root; it stands on the program's command line. */
  readonly main: string;
  readonly args: readonly string[];
  readonly settings: Readonly<Record<string, string>>;
  readonly healthPort: number;
  /** Programs of a lower stage are stopped, and have handed over, before those of a higher one. */
  readonly stopStage: 1 | 2 | 3;
  readonly stopLimitMs: Milliseconds;
  readonly mayFinish: boolean;
}

const names = ["firehose", "features", "gateway", "event-source", "processor", "live", "bridge", "simulator"] as const;
export type LocalProgram = (typeof names)[number];

/** Folder of the models that may score. */
export function modelStore(home: string): string {
  return join(home, "models");
}

/** How many ports `localPrograms` needs for the programs' health. */
export const PROGRAM_COUNT = names.length;

/** The programs in the order of their start. */
export function localPrograms(
  options: StartOptions,
  connections: Connections,
  healthPorts: readonly number[],
): Program[] {
  const data = (folder: string): string => join(options.home, "data", folder);
  const url = (port: number): string => `http://${LOOPBACK}:${port}`;
  const { api, dashboard, firehose, features } = options.ports;
  const common = { environment: LOCAL_ENVIRONMENT };
  const { kafkaBrokers, mqttUrl, mongodbUri, dynamodbEndpoint } = connections;
  const kafka = { kafkaBrokers };
  const connectionsTable = dynamoTableName(LOCAL_ENVIRONMENT, "connections");
  const checkpointTable = dynamoTableName(LOCAL_ENVIRONMENT, "checkpoints");
  const featureStore = { featureGroup: featureGroupName(LOCAL_ENVIRONMENT), featureStoreEndpoint: url(features) };

  const settings: Record<LocalProgram, (healthPort: number) => Record<string, string>> = {
    firehose: (healthPort) =>
      writeSettings("firehose", { ...common, port: firehose, lakeDir: data("lake"), healthPort }),
    features: (healthPort) =>
      writeSettings("features", { ...common, port: features, dataDir: data("features"), healthPort }),
    gateway: (healthPort) => ({
      ...writeSettings("rest", { ...common, ...kafka, mongodbUri, dynamodbEndpoint, checkpointTable, ...featureStore }),
      ...writeSettings("websocket", { ...common, dynamodbEndpoint, connectionsTable }),
      ...writeSettings("gateway", {
        ...common,
        port: api,
        dashboardPort: dashboard,
        dashboardDir: join(import.meta.dirname, "..", "dashboard"),
        healthPort,
      }),
    }),
    "event-source": (healthPort) => ({
      ...writeSettings("store", { ...common, mongodbUri }),
      ...writeSettings("writeLake", { ...common, firehoseEndpoint: url(firehose) }),
      ...writeSettings("writeFeatures", { ...common, ...featureStore }),
      ...writeSettings("eventSource", { ...common, ...kafka, onFailureDir: data("on-failure"), healthPort }),
    }),
    processor: (healthPort) =>
      writeSettings("processor", {
        ...common,
        ...kafka,
        dynamodbEndpoint,
        checkpointTable,
        modelSource: modelStore(options.home),
        healthPort,
      }),
    live: (healthPort) =>
      writeSettings("live", {
        ...common,
        ...kafka,
        dynamodbEndpoint,
        connectionsTable,
        websocketEndpoint: url(api),
        healthPort,
      }),
    bridge: (healthPort) => writeSettings("bridge", { ...common, ...kafka, mqttUrl, healthPort }),
    simulator: (healthPort) => writeSettings("simulator", { ...common, mqttUrl, healthPort }),
  };
  const stages: Record<LocalProgram, Program["stopStage"]> = {
    simulator: 1,
    bridge: 2,
    processor: 2,
    live: 2,
    "event-source": 2,
    gateway: 3,
    firehose: 3,
    features: 3,
  };
  const mains: Partial<Record<LocalProgram, string>> = {
    firehose: "local/firehose/main.ts",
    features: "local/features/main.ts",
    gateway: "local/gateway/main.ts",
    "event-source": "local/event-source/main.ts",
  };

  return names
    .filter((name) => options.simulator || name !== "simulator")
    .map((name, i): Program => ({
      name,
      main: mains[name] ?? `${name}/main.ts`,
      args: name === "simulator" ? options.simulatorArguments : [],
      settings: settings[name](healthPorts[i]!),
      healthPort: healthPorts[i]!,
      stopStage: stages[name],
      stopLimitMs: (stages[name] === 2 ? 22 : 10) * SECOND,
      mayFinish: name === "simulator",
    }));
}
