import { setTimeout as delay } from "node:timers/promises";
import type { Kafka } from "kafkajs";
import { alterTopics, type TopicChange } from "../adapters/alter-topics.ts";
import { applySettings } from "../adapters/apply-settings.ts";
import { dynamoDbClient } from "../adapters/dynamodb.ts";
import type { Health } from "../adapters/health.ts";
import { createTopics } from "../adapters/kafka-topics.ts";
import { createKafka } from "../adapters/kafka.ts";
import { LOOPBACK, type LocalPort } from "../config/local.ts";
import { readSettings } from "../config/settings.ts";
import type { MetricName } from "../domain/metrics.ts";
import { dynamoTableName } from "../domain/names.ts";
import { existingWhere, pipelines, type OfPipeline, type PipelineName } from "../domain/pipelines.ts";
import { pickSemantics } from "../domain/semantics.ts";
import { SECOND } from "../domain/time.ts";
import { topics } from "../domain/topics.ts";
import { ensureConnectionsTable } from "../lambda/shared/connections-table.ts";
import { createCheckpointTable } from "../processor/adapters/dynamo-snapshots.ts";
import { restore } from "../processor/commands/restore/restore.ts";
import { restoreTarget } from "../processor/commands/restore/target.ts";
import type { MetricsSnapshot } from "./counter-totals.ts";
import { freeBytes, megabytes, openHome, type Home } from "./home.ts";
import { prepareModels } from "./models.ts";
import { portOption, type StartOptions } from "./options.ts";
import { pickFreePorts, requireFreePorts, type WantedPort } from "./processes/ports.ts";
import {
  dataFolder,
  LOCAL_ENVIRONMENT,
  localPrograms,
  modelStore,
  pipelinesOf,
  processorSettings,
  PROGRAM_COUNT,
  type Program,
} from "./programs.ts";
import { endOrphanedProcesses, RunFile } from "./run-file.ts";
import {
  connectionsTo,
  serverDefinitions,
  serverNames,
  SERVERS_FOLDER,
  type Connections,
  type ServerName,
} from "./servers/index.ts";
import { installServers } from "./servers/install.ts";
import { StatusMetricsTracker, type StatusMetrics } from "./status-metrics.ts";
import { describeDeath, Supervisor, type UnitStatus } from "./supervisor.ts";
import { programUnit, serverUnit } from "./units.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** A variable that is set names a server of the user's own. Millrace then starts none of that kind. */
const ownServer: Readonly<Record<ServerName, { variable: string; connection: keyof Connections }>> = {
  kafka: { variable: "KAFKA_BROKERS", connection: "kafkaBrokers" },
  mqtt: { variable: "MQTT_URL", connection: "mqttUrl" },
  dynamodb: { variable: "DYNAMODB_ENDPOINT", connection: "dynamodbEndpoint" },
  mongodb: { variable: "MONGODB_URI", connection: "mongodbUri" },
};
const programPorts: readonly ({ name: LocalPort; purpose: string } & OfPipeline)[] = [
  { name: "api", purpose: "API and WebSocket" },
  { name: "dashboard", purpose: "dashboard" },
  { name: "firehose", purpose: "local Firehose endpoint" },
  { name: "features", purpose: "local Feature Store endpoint" },
  { name: "status", purpose: "alarms and graphs" },
  { name: "events", purpose: "local EventBridge endpoint", pipeline: "market" },
];

/** A disk with fewer free bytes counts as full. */
const FULL_BYTES = 50 * 1024 * 1024;
/** Time that a start waits until all programs answer. It then continues without them. */
const PROGRAMS_LIMIT_MS = 60 * SECOND;

export interface PlatformCallbacks {
  /** The current step. The next one may overwrite it on the screen. */
  readonly onProgress: (message: string) => void;
  /** Something that stays on the screen, such as a restart. */
  readonly onEvent: (message: string) => void;
}

/** What the programs say of themselves. */
export interface PlatformMetrics {
  readonly metrics: StatusMetrics;
  /** By program. */
  readonly health: ReadonlyMap<string, Health>;
  /** By program. `local` is what the supervisor itself knows. */
  readonly snapshots: ReadonlyMap<string, MetricsSnapshot>;
}

/** Bytes that a partition keeps besides its newest segment: a laptop has little disk, and time alone bounds none. */
const RETENTION_BYTES = 256 * 2 ** 20;
const boundedTopics: readonly TopicChange[] = Object.values(topics)
  .filter(({ cleanup }) => cleanup === "delete")
  .map(({ name }) => ({ name, config: { "retention.bytes": String(RETENTION_BYTES) } }));

/** All of Millrace on this machine: servers, topics, tables and programs. It restarts what dies. */
export class Platform {
  readonly #options: StartOptions;
  readonly #env: Environment;
  readonly #callbacks: PlatformCallbacks;
  readonly #metrics = new StatusMetricsTracker();
  readonly #supervisor: Supervisor;
  readonly #startsServers: readonly ServerName[];
  readonly connections: Connections;
  #programs: readonly Program[] = [];
  #runFile: RunFile | undefined;
  #stopping = false;

  constructor(options: StartOptions, env: Environment, callbacks: PlatformCallbacks) {
    this.#options = options;
    this.#env = env;
    this.#callbacks = callbacks;
    this.#startsServers = serverNames.filter((name) => !env[ownServer[name].variable]);
    this.connections = {
      ...connectionsTo(options.ports),
      ...Object.fromEntries(
        Object.values(ownServer).flatMap(({ variable, connection }) =>
          env[variable] ? [[connection, env[variable]]] : [],
        ),
      ),
    };
    this.#supervisor = new Supervisor({
      onStarted: (name, pid) => this.#runFile?.add(name, pid),
      onDied: (unit, exit, restartInMs) => {
        callbacks.onEvent(describeDeath(unit, exit, restartInMs));
        const free = freeBytes(options.home);
        if (free < FULL_BYTES)
          callbacks.onEvent(`the disk of ${options.home} is full (${megabytes(free)} MB free). Free some space.`);
      },
    });
  }

  /**
   * Starts everything. Resolves when all programs answer, or a minute after their start.
   *
   * @throws MillraceError with the remedy when something cannot be started.
   */
  async start(): Promise<void> {
    const { home: folder, fresh, ports } = this.#options;
    const { onProgress } = this.#callbacks;
    await endOrphanedProcesses(folder, onProgress);
    const home = openHome(folder, fresh);
    await requireFreePorts(this.#wantedPorts());
    this.#runFile = new RunFile(folder, ports.status);
    if (this.#startsServers.length > 0) {
      const installation = await installServers({
        folder: SERVERS_FOLDER,
        javaHome: this.#env["JAVA_HOME"],
        onProgress,
      });
      onProgress(`starting ${this.#startsServers.map((name) => serverDefinitions[name].title).join(", ")}`);
      await this.#all(this.#startsServers, async (name) => {
        await this.#supervisor.start(serverUnit(name, installation, ports, home.data, home.logs));
        onProgress(`${serverDefinitions[name].title} is running`);
      });
    }
    onProgress("creating topics and tables");
    await this.#createTopicsAndTables();
    if (this.#options.restore) await this.#restore();
    await this.#startPrograms(home);
  }

  /** Starts all. When one fails, it still waits for the others before it throws, so that `stop` finds them. */
  async #all<T>(items: readonly T[], start: (item: T) => Promise<void>): Promise<void> {
    const results = await Promise.allSettled(items.map((item) => (this.#stopping ? Promise.resolve() : start(item))));
    const failed = results.find((result) => result.status === "rejected");
    if (failed) throw failed.reason;
  }

  async #startPrograms(home: Home): Promise<void> {
    this.#programs = localPrograms(this.#options, this.connections, await pickFreePorts(PROGRAM_COUNT));
    this.#runFile?.setHealthPorts(Object.fromEntries(this.#programs.map(({ name, healthPort }) => [name, healthPort])));
    this.#callbacks.onProgress(`starting ${this.#programs.map(({ name }) => name).join(", ")}`);
    const launch = (programs: readonly Program[]): void => {
      for (const program of programs)
        if (!this.#stopping) this.#supervisor.launch(programUnit(program, this.#env, home.logs));
    };
    const publishes = ({ simulates }: Program): boolean => simulates;
    launch(this.#programs.filter((program) => !publishes(program)));
    const deadline = performance.now() + PROGRAMS_LIMIT_MS;
    const allRun = (): boolean => [...this.status().values()].every(({ state }) => state === "running");
    while (!allRun() && !this.#stopping && performance.now() < deadline) await delay(50);
    // An MQTT broker acknowledges and drops a message without a subscriber, so the simulators start last.
    launch(this.#programs.filter(publishes));
  }

  /** Stops the simulators, then the programs, then the servers. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#supervisor.endRestarts();
    const status = this.status();
    for (const stage of [1, 2, 3]) {
      const names = this.#programs.filter(({ stopStage }) => stopStage === stage).map(({ name }) => name);
      if (names.some((name) => status.has(name))) this.#callbacks.onProgress(`stopping ${names.join(", ")}`);
      await this.#supervisor.stop(names);
    }
    if (this.#startsServers.some((name) => status.has(name))) this.#callbacks.onProgress("stopping the servers");
    await this.#supervisor.stop(this.#startsServers);
    this.#runFile?.remove();
  }

  /** Kills everything at once. */
  killAll(): void {
    for (const { pid } of this.status().values()) {
      try {
        if (pid !== undefined) process.kill(pid, "SIGKILL");
      } catch {
        // The process has ended already.
      }
    }
  }

  status(): ReadonlyMap<string, UnitStatus> {
    return this.#supervisor.status();
  }

  /** False when npm is gone, so that nothing would ever stop this platform. */
  isOwned(): boolean {
    return this.#runFile?.isOwned() ?? true;
  }

  /**
   * Asks all programs for metrics and health. A program that does not answer within a second is left out. Rates cover
   * the time since the call before.
   */
  async metrics(): Promise<PlatformMetrics> {
    const snapshots = new Map<string, MetricsSnapshot>();
    const health = new Map<string, Health>();
    const ask = async ({ name, healthPort }: Program): Promise<void> => {
      try {
        const [metrics, state] = await Promise.all([
          getJson<MetricsSnapshot>(healthPort, "metrics"),
          getJson<Health>(healthPort, "health"),
        ]);
        snapshots.set(name, metrics);
        health.set(name, state);
      } catch {
        // The program is being restarted, or is busy.
      }
    };
    await Promise.all(this.#programs.map(ask));
    const metrics = this.#metrics.update(snapshots, performance.now());
    snapshots.set("local", this.#ownMetrics());
    return { metrics, health, snapshots };
  }

  /** What the supervisor knows, as a program reports its metrics. */
  #ownMetrics(): MetricsSnapshot {
    const units = [...this.status().values()];
    return {
      "local.restarts": units.reduce((sum, { restarts }) => sum + restarts, 0),
      "local.not-running": units.filter(({ state }) => state === "starting" || state === "restarting").length,
    } satisfies Partial<Record<MetricName, number>>;
  }

  #wantedPorts(): WantedPort[] {
    const wanted = (name: LocalPort, purpose: string): WantedPort => ({
      port: this.#options.ports[name],
      purpose,
      option: portOption(name),
    });
    const servers = this.#startsServers.flatMap((name) =>
      serverDefinitions[name].ports.map((port) => wanted(port, serverDefinitions[name].title)),
    );
    const programs = existingWhere(programPorts, pipelinesOf(this.#options));
    return [...servers, ...programs.map(({ name, purpose }) => wanted(name, purpose))];
  }

  /** The environment names the settings that are to be in force: a start that differs from the log changes them. */
  async #applySettings(kafka: Kafka): Promise<void> {
    const wanted = pickSemantics(readSettings("processor", this.#env));
    for (const name of pipelinesOf(this.#options)) {
      // This start's own processor reads what is appended: it runs later.
      const made = await applySettings(kafka, topics[pipelines[name].input].name, wanted, { checkTasks: false });
      if (made) this.#callbacks.onProgress(`settings of the pipeline ${name} in force: change ${made.id}`);
    }
  }

  /** The environment variables of a pipeline's processor, for a command beside it. */
  processorSettings(pipeline: PipelineName): Readonly<Record<string, string>> {
    const context = { options: this.#options, connections: this.connections, healthPorts: [] };
    return processorSettings(pipeline)(context, 0);
  }

  /** Rebuilds from the lake what was lost. No processor runs yet. */
  async #restore(): Promise<void> {
    for (const name of pipelinesOf(this.#options)) {
      const settings = readSettings("processor", { ...this.#env, ...this.processorSettings(name) });
      const { log, before, records, keys } = await restore(
        restoreTarget(settings, {
          dir: dataFolder(this.#options, "lake"),
          outputsFrom: -Infinity,
          report: this.#callbacks.onProgress,
        }),
      );
      this.#callbacks.onEvent(`${log} continues ${before}: ${records} records of the lake, state of ${keys} keys`);
    }
  }

  async #createTopicsAndTables(): Promise<void> {
    const region = this.#env["AWS_REGION"] || "us-east-1";
    const kafkaAuth = this.#env["KAFKA_AUTH"] === "iam" ? "iam" : "none";
    const kafka = createKafka({ kafkaBrokers: this.connections.kafkaBrokers, kafkaAuth, region }, "millrace-local");
    const admin = kafka.admin();
    await admin.connect();
    let created: string[];
    try {
      created = await createTopics(admin);
    } finally {
      await admin.disconnect();
    }
    if (this.#startsServers.includes("kafka")) await alterTopics(kafka, boundedTopics);
    await this.#applySettings(kafka);
    await prepareModels(kafka, modelStore(this.#options.home), created.includes(topics.imuData.name));
    const dynamodb = dynamoDbClient(region, this.connections.dynamodbEndpoint);
    await createCheckpointTable(dynamodb, dynamoTableName(LOCAL_ENVIRONMENT, "checkpoints"));
    await ensureConnectionsTable(dynamodb, dynamoTableName(LOCAL_ENVIRONMENT, "connections"));
    dynamodb.destroy();
  }
}

async function getJson<T>(port: number, path: string): Promise<T> {
  const response = await fetch(`http://${LOOPBACK}:${port}/${path}`, {
    headers: { accept: "application/json" },
    signal: AbortSignal.timeout(SECOND),
  });
  return (await response.json()) as T;
}
