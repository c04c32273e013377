import { join } from "node:path";
import { LOOPBACK } from "../config/local.ts";
import { writeSettings } from "../config/settings.ts";
import { dynamoTableName, featureGroupName } from "../domain/names.ts";
import { existingWhere, type OfPipeline, type PipelineName } from "../domain/pipelines.ts";
import { HOUR, SECOND, type Milliseconds } from "../domain/time.ts";
import { KEPT, type StartOptions } from "./options.ts";
import type { Connections } from "./servers/index.ts";

/** The environment's name on one machine. It is part of the names of tables, feature groups and transactions. */
export const LOCAL_ENVIRONMENT = "local";

/** A program of the platform, ready for `npm start` to run. */
export interface Program {
  readonly name: string;
  /** Path from the root of the repository. It appears on the program's command line. */
  readonly main: string;
  readonly args: readonly string[];
  /** Environment variables. */
  readonly settings: Readonly<Record<string, string>>;
  readonly healthPort: number;
  /** Programs of a lower stage have ended before those of a higher stage are stopped. */
  readonly stopStage: 1 | 2 | 3;
  /** Time between SIGTERM and SIGKILL. */
  readonly stopLimitMs: Milliseconds;
  /** Bound of its old generation, MB: V8 lets the heap grow less between collections the lower it is. */
  readonly heapMb: number;
  /** Whether exit code 0 means that the program is done and is not started again. */
  readonly mayFinish: boolean;
  /** Whether it makes what a real source would send. */
  readonly simulates: boolean;
}

/** What the settings of the programs depend on. */
interface ProgramContext {
  readonly options: StartOptions;
  readonly connections: Connections;
  /** Where all of them answer `GET /metrics`. */
  readonly healthPorts: readonly number[];
}

/** One entry of the table below: how `npm start` runs a program. */
interface ProgramDefinition extends Pick<Program, "name" | "main" | "stopStage" | "stopLimitMs">, OfPipeline {
  readonly args?: (options: StartOptions) => readonly string[];
  readonly settings: (context: ProgramContext, healthPort: number) => Readonly<Record<string, string>>;
  /** @default DEFAULT_HEAP_MB */
  readonly heapMb?: number;
  /** @default false */
  readonly mayFinish?: boolean;
  /** Whether it makes what a real source would send. @default false */
  readonly simulates?: boolean;
}

/** A program that hands over to its successor gets two seconds more than its own limit of 20 s. */
const HANDOVER_LIMIT_MS = 22 * SECOND;
/** The local MongoDB server reads every alert for each list of them, so it keeps few. */
const RECENT_ALERTS_MS = HOUR;
const STOP_LIMIT_MS = 10 * SECOND;
/** Programs without keyed state need some 30 MB. V8's own bound, up to 4 GB, lets them take several times that. */
const DEFAULT_HEAP_MB = 512;
/** State of some 50,000 sensors. */
const PROCESSOR_HEAP_MB = 2_048;

const common = { environment: LOCAL_ENVIRONMENT };
const tables = {
  connectionsTable: dynamoTableName(LOCAL_ENVIRONMENT, "connections"),
  checkpointTable: dynamoTableName(LOCAL_ENVIRONMENT, "checkpoints"),
};

const url = (port: number): string => `http://${LOOPBACK}:${port}`;
/** A folder of the platform's data. */
export const dataFolder = (options: StartOptions, name: string): string => join(options.home, "data", name);

/** Folder of the models that may score. */
export function modelStore(home: string): string {
  return join(home, "models");
}

/** The pipelines that these options ask for. */
export function pipelinesOf({ market }: StartOptions): PipelineName[] {
  return market ? ["sensor", "market"] : ["sensor"];
}

function featureStore({
  ports,
}: StartOptions): Record<"featureGroup" | "marketFeatureGroup" | "featureStoreEndpoint", string> {
  return {
    featureGroup: featureGroupName(LOCAL_ENVIRONMENT, "sensorWindows"),
    marketFeatureGroup: featureGroupName(LOCAL_ENVIRONMENT, "marketBars"),
    featureStoreEndpoint: url(ports.features),
  };
}

/** The environment variables of a pipeline's processor. */
export function processorSettings(pipeline: PipelineName): ProgramDefinition["settings"] {
  return ({ options, connections: { kafkaBrokers, dynamodbEndpoint } }, healthPort) =>
    writeSettings("processor", {
      ...common,
      pipeline,
      kafkaBrokers,
      dynamodbEndpoint,
      checkpointTable: tables.checkpointTable,
      modelSource: modelStore(options.home),
      healthPort,
    });
}

/** The programs in the order of their start. */
const programs = [
  {
    name: "firehose",
    main: "local/firehose/main.ts",
    stopStage: 3,
    stopLimitMs: STOP_LIMIT_MS,
    settings: ({ options }, healthPort) =>
      writeSettings("firehose", {
        ...common,
        port: options.ports.firehose,
        lakeDir: dataFolder(options, "lake"),
        healthPort,
      }),
  },
  {
    name: "features",
    main: "local/features/main.ts",
    stopStage: 3,
    stopLimitMs: STOP_LIMIT_MS,
    settings: ({ options }, healthPort) =>
      writeSettings("features", {
        ...common,
        port: options.ports.features,
        dataDir: dataFolder(options, "features"),
        healthPort,
      }),
  },
  {
    name: "gateway",
    main: "local/gateway/main.ts",
    stopStage: 3,
    stopLimitMs: STOP_LIMIT_MS,
    settings: (
      { options, connections: { kafkaBrokers, mongodbUri, dynamodbEndpoint, mqttUrl }, healthPorts },
      healthPort,
    ) => ({
      ...writeSettings("rest", {
        ...common,
        pipelines: pipelinesOf(options),
        corsOrigins: [LOOPBACK, "localhost"].map((host) => `http://${host}:${options.ports.dashboard}`),
        ...featureStore(options),
        kafkaBrokers,
        mongodbUri,
        dynamodbEndpoint,
        checkpointTable: tables.checkpointTable,
      }),
      ...writeSettings("websocket", { ...common, dynamodbEndpoint, connectionsTable: tables.connectionsTable }),
      ...writeSettings("gateway", {
        ...common,
        pipelines: pipelinesOf(options),
        port: options.ports.api,
        dashboardPort: options.ports.dashboard,
        metricsPorts: healthPorts,
        mqttUrl,
        statusPort: options.ports.status,
        healthPort,
      }),
    }),
  },
  {
    name: "event-source",
    main: "local/event-source/main.ts",
    stopStage: 2,
    stopLimitMs: HANDOVER_LIMIT_MS,
    settings: ({ options, connections: { kafkaBrokers, mongodbUri } }, healthPort) => ({
      ...writeSettings("store", {
        ...common,
        mongodbUri,
        maxSessions: options.keepSessions ?? KEPT.sessions,
        maxSensors: options.keepSensors ?? KEPT.sensors,
        maxDeadLetters: KEPT.deadLetters,
        recentAlertsMs: RECENT_ALERTS_MS,
      }),
      ...writeSettings("writeLake", { ...common, firehoseEndpoint: url(options.ports.firehose) }),
      ...writeSettings("writeFeatures", { ...common, ...featureStore(options) }),
      ...writeSettings("auditOutput", common),
      ...writeSettings("eventSource", {
        ...common,
        pipelines: pipelinesOf(options),
        kafkaBrokers,
        onFailureDir: dataFolder(options, "on-failure"),
        healthPort,
      }),
    }),
  },
  {
    name: "processor",
    main: "processor/main.ts",
    heapMb: PROCESSOR_HEAP_MB,
    stopStage: 2,
    stopLimitMs: HANDOVER_LIMIT_MS,
    settings: processorSettings("sensor"),
  },
  {
    name: "processor-market",
    main: "processor/main.ts",
    heapMb: PROCESSOR_HEAP_MB,
    stopStage: 2,
    stopLimitMs: HANDOVER_LIMIT_MS,
    pipeline: "market",
    settings: processorSettings("market"),
  },
  {
    name: "live",
    main: "live/main.ts",
    stopStage: 2,
    stopLimitMs: HANDOVER_LIMIT_MS,
    settings: ({ options, connections: { kafkaBrokers, dynamodbEndpoint } }, healthPort) =>
      writeSettings("live", {
        ...common,
        pipelines: pipelinesOf(options),
        kafkaBrokers,
        dynamodbEndpoint,
        connectionsTable: tables.connectionsTable,
        websocketEndpoint: url(options.ports.api),
        healthPort,
      }),
  },
  {
    name: "bridge",
    main: "bridge/main.ts",
    stopStage: 2,
    stopLimitMs: HANDOVER_LIMIT_MS,
    settings: ({ options, connections: { kafkaBrokers, mqttUrl } }, healthPort) =>
      writeSettings("bridge", { ...common, pipelines: pipelinesOf(options), kafkaBrokers, mqttUrl, healthPort }),
  },
  {
    name: "events",
    main: "local/events/main.ts",
    stopStage: 2,
    stopLimitMs: HANDOVER_LIMIT_MS,
    pipeline: "market",
    settings: ({ options, connections: { kafkaBrokers } }, healthPort) => ({
      ...writeSettings("produceTrades", { ...common, kafkaBrokers }),
      ...writeSettings("events", {
        ...common,
        port: options.ports.events,
        dataDir: dataFolder(options, "events"),
        onFailureDir: dataFolder(options, "on-failure"),
        healthPort,
      }),
    }),
  },
  {
    name: "simulator",
    main: "simulator/main.ts",
    stopStage: 1,
    stopLimitMs: STOP_LIMIT_MS,
    mayFinish: true,
    args: (options) => options.simulatorArguments,
    simulates: true,
    settings: ({ connections: { mqttUrl } }, healthPort) =>
      writeSettings("simulator", { ...common, mqttUrl, healthPort }),
  },
  {
    name: "simulator-market",
    main: "simulator/main.ts",
    stopStage: 1,
    stopLimitMs: STOP_LIMIT_MS,
    mayFinish: true,
    args: ({ marketArguments, simulatorArguments }) => [
      "--market",
      ...marketArguments,
      ...simulatorArguments.filter((argument) => /^--(?:seed|duration)=/.test(argument)),
    ],
    pipeline: "market",
    simulates: true,
    settings: ({ options }, healthPort) =>
      writeSettings("simulator", { ...common, eventsEndpoint: url(options.ports.events), healthPort }),
  },
] as const satisfies readonly ProgramDefinition[];

export type LocalProgram = (typeof programs)[number]["name"];

/** Number of health ports that `localPrograms` needs. */
export const PROGRAM_COUNT = programs.length;

/**
 * The programs that these options ask for, in the order of their start.
 *
 * @param healthPorts `PROGRAM_COUNT` free ports.
 */
export function localPrograms(
  options: StartOptions,
  connections: Connections,
  healthPorts: readonly number[],
): Program[] {
  const started = existingWhere<ProgramDefinition>(programs, pipelinesOf(options)).filter(
    ({ simulates = false }) => options.simulator || !simulates,
  );
  const context: ProgramContext = { options, connections, healthPorts: healthPorts.slice(0, started.length) };
  return started.map((definition, i): Program => {
    const { name, main, stopStage, stopLimitMs, mayFinish = false, simulates = false, args, settings } = definition;
    const healthPort = healthPorts[i]!;
    return {
      name,
      main,
      args: args?.(options) ?? [],
      settings: settings(context, healthPort),
      healthPort,
      stopStage,
      stopLimitMs,
      heapMb: definition.heapMb ?? DEFAULT_HEAP_MB,
      mayFinish,
      simulates,
    };
  });
}
