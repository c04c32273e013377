import { setTimeout as delay } from "node:timers/promises";
import { createTopics } from "../adapters/kafka-topics.ts";
import { createKafka } from "../adapters/kafka.ts";
import { LOOPBACK, type LocalPort } from "../config/local.ts";
import { dynamoTableName } from "../domain/names.ts";
import { SECOND } from "../domain/time.ts";
import { topics } from "../domain/topics.ts";
import { dynamoDbClient, ensureConnectionsTable } from "../lambda/shared/connections-table.ts";
import { createCheckpointTable } from "../processor/adapters/dynamo-snapshots.ts";
import { FigureKeeper, type Figures, type MetricsSnapshot } from "./figures.ts";
import { freeBytes, megabytes, openHome, type Home } from "./home.ts";
import { endLeftovers, RunFile } from "./leftovers.ts";
import { prepareModels } from "./models.ts";
import { portOption, type StartOptions } from "./options.ts";
import { pickFreePorts, requireFreePorts, type WantedPort } from "./ports.ts";
import { LOCAL_ENVIRONMENT, localPrograms, modelStore, PROGRAM_COUNT, type Program } from "./programs.ts";
import {
  connectionsTo,
  serverDefinitions,
  serverNames,
  SERVERS_FOLDER,
  type Connections,
  type ServerName,
} from "./servers/index.ts";
import { installServers } from "./servers/install.ts";
import { describeDeath, Supervisor, type UnitStatus } from "./supervisor.ts";
import { programUnit, serverUnit } from "./units.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** The variables by which somebody's own servers are used instead of ours. */
const ownServer: Readonly<Record<ServerName, { variable: string; connection: keyof Connections }>> = {
  kafka: { variable: "KAFKA_BROKERS", connection: "kafkaBrokers" },
  mqtt: { variable: "MQTT_URL", connection: "mqttUrl" },
  dynamodb: { variable: "DYNAMODB_ENDPOINT", connection: "dynamodbEndpoint" },
  mongodb: { variable: "MONGODB_URI", connection: "mongodbUri" },
};
const programPorts: readonly { name: LocalPort; purpose: string }[] = [
  { name: "api", purpose: "API and WebSocket" },
  { name: "dashboard", purpose: "dashboard" },
  { name: "firehose", purpose: "local Firehose endpoint" },
  { name: "features", purpose: "local Feature Store endpoint" },
];

/** A disk with less is called full. */
const FULL_BYTES = 50 * 1024 * 1024;
/** How long a start waits for programs before it says where things are, and which are still coming. */
const PROGRAMS_LIMIT_MS = 60 * SECOND;

export interface PlatformOutput {
  /** What goes on now. */
  readonly progress: (message: string) => void;
  /** What is worth keeping, such as a restart. */
  readonly note: (message: string) => void;
}

/** Everything of Millrace on this machine: servers, topics and tables, programs, kept running. */
export class Platform {
  readonly #options: StartOptions;
  readonly #env: Environment;
  readonly #output: PlatformOutput;
  readonly #figures = new FigureKeeper();
  readonly #supervisor: Supervisor;
  readonly #startsServers: readonly ServerName[];
  readonly connections: Connections;
  #programs: readonly Program[] = [];
  #runFile: RunFile | undefined;
  #stopping = false;

  constructor(options: StartOptions, env: Environment, output: PlatformOutput) {
    this.#options = options;
    this.#env = env;
    this.#output = output;
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
        output.note(describeDeath(unit, exit, restartInMs));
        if (freeBytes(options.home) < FULL_BYTES)
          output.note(
            `the disk of ${options.home} is full (${megabytes(freeBytes(options.home))} MB free): free some space`,
          );
      },
    });
  }

  /**
   * Resolves when everything has been started, and all programs answer or a minute has passed.
   *
   * @throws MillraceError with the remedy when that cannot be.
   */
  async start(): Promise<void> {
    const { home: folder, fresh, ports } = this.#options;
    const { progress } = this.#output;
    await endLeftovers(folder, progress);
    const home = openHome(folder, fresh);
    await requireFreePorts(this.#wantedPorts());
    this.#runFile = new RunFile(folder);
    if (this.#startsServers.length > 0) {
      const installation = await installServers({
        folder: SERVERS_FOLDER,
        javaHome: this.#env["JAVA_HOME"],
        onProgress: progress,
      });
      progress(`starting ${this.#startsServers.map((name) => serverDefinitions[name].title).join(", ")}`);
      await this.#all(this.#startsServers, async (name) => {
        await this.#supervisor.start(serverUnit(name, installation, ports, home.data, home.logs));
        progress(`${serverDefinitions[name].title} is up`);
      });
    }
    progress("creating topics and tables");
    await this.#createTopicsAndTables();
    await this.#startPrograms(home);
  }

  /** Starts all, and when one fails waits for the others before it says so, so that `stop` finds them. */
  async #all<T>(items: readonly T[], start: (item: T) => Promise<void>): Promise<void> {
    const results = await Promise.allSettled(items.map((item) => (this.#stopping ? Promise.resolve() : start(item))));
    const failed = results.find((result) => result.status === "rejected");
    if (failed) throw failed.reason;
  }

  async #startPrograms(home: Home): Promise<void> {
    this.#programs = localPrograms(this.#options, this.connections, await pickFreePorts(PROGRAM_COUNT));
    this.#output.progress(`starting ${this.#programs.map(({ name }) => name).join(", ")}`);
    const launch = (programs: readonly Program[]): void => {
      for (const program of programs)
        if (!this.#stopping) this.#supervisor.launch(programUnit(program, this.#env, home.logs));
    };
    const publishes = ({ name }: Program): boolean => name === "simulator";
    launch(this.#programs.filter((program) => !publishes(program)));
    const deadline = performance.now() + PROGRAMS_LIMIT_MS;
    const coming = (): boolean => [...this.status().values()].some(({ state }) => state !== "running");
    while (coming() && !this.#stopping && performance.now() < deadline) await delay(50);
    // An MQTT broker acknowledges and forgets what nobody has subscribed to yet: who publishes comes last.
    launch(this.#programs.filter(publishes));
  }

  /** Stops the simulator, then the programs, which hand over, then the servers. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#supervisor.endRestarts();
    const status = this.status();
    for (const stage of [1, 2, 3]) {
      const names = this.#programs.filter(({ stopStage }) => stopStage === stage).map(({ name }) => name);
      if (names.some((name) => status.has(name))) this.#output.progress(`stopping ${names.join(", ")}`);
      await this.#supervisor.stop(names);
    }
    if (this.#startsServers.some((name) => status.has(name))) this.#output.progress("stopping the servers");
    await this.#supervisor.stop(this.#startsServers);
    this.#runFile?.remove();
  }

  /** Kills everything at once. */
  killAll(): void {
    for (const { pid } of this.status().values()) {
      try {
        if (pid !== undefined) process.kill(pid, "SIGKILL");
      } catch {
        // It has ended.
      }
    }
  }

  status(): ReadonlyMap<string, UnitStatus> {
    return this.#supervisor.status();
  }

  /** False when whoever started this is gone, so that nobody would stop it. */
  isOwned(): boolean {
    return this.#runFile?.isOwned() ?? true;
  }

  /** Asks all programs for metrics and health; those that don't answer within a second are left out. */
  async figures(): Promise<{ readonly figures: Figures; readonly health: ReadonlyMap<string, string> }> {
    const snapshots = new Map<string, MetricsSnapshot>();
    const health = new Map<string, string>();
    await Promise.all(
      this.#programs.map(async ({ name, healthPort }) => {
        try {
          const [metrics, state] = await Promise.all(
            ["metrics", "health"].map(async (path) => {
              const response = await fetch(`http://${LOOPBACK}:${healthPort}/${path}`, {
                signal: AbortSignal.timeout(SECOND),
              });
              return (await response.json()) as MetricsSnapshot;
            }),
          );
          snapshots.set(name, metrics!);
          health.set(name, String(state!["status"]));
        } catch {
          // It is being started again, or busy.
        }
      }),
    );
    return { figures: this.#figures.update(snapshots, performance.now()), health };
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
    return [...servers, ...programPorts.map(({ name, purpose }) => wanted(name, purpose))];
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
    await prepareModels(
      kafka,
      LOCAL_ENVIRONMENT,
      modelStore(this.#options.home),
      created.includes(topics.imuData.name),
    );
    const dynamodb = dynamoDbClient(region, this.connections.dynamodbEndpoint);
    await createCheckpointTable(dynamodb, dynamoTableName(LOCAL_ENVIRONMENT, "checkpoints"));
    await ensureConnectionsTable(dynamodb, dynamoTableName(LOCAL_ENVIRONMENT, "connections"));
    dynamodb.destroy();
  }
}
