import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { Partitioners, type Kafka, type Producer } from "kafkajs";
import type { Health } from "../../adapters/health.ts";
import { openCluster, partitionBounds } from "../../adapters/kafka-cluster.ts";
import { fetchRecords } from "../../adapters/kafka-records.ts";
import { createKafka } from "../../adapters/kafka.ts";
import { topics } from "../../domain/topics.ts";
import type { Connections } from "../../local/servers/index.ts";
import { createDynamo } from "../../processor/adapters/dynamo-client.ts";
import { createCheckpointTable } from "../../processor/adapters/dynamo-snapshots.ts";
import type { InputRecord } from "../../processor/runtime/machine.ts";
import { expectedOutputs, outputTopics } from "../processor/engine/counting-machine.ts";
import { eventually } from "../support/eventually.ts";
import { sharedServers, uniqueName } from "../support/servers.ts";
import type { InjectedFault } from "./inject-fault.ts";

export interface ProgramArguments {
  readonly kafkaBrokers: string;
  readonly dynamodbEndpoint: string;
  readonly topic: string;
  readonly table: string;
  readonly environment: string;
  readonly groupId: string;
  readonly delivery: "transactional" | "idempotent";
  readonly fingerprint: string;
  readonly fault?: InjectedFault;
}

/** What a program reports of itself, by IPC. */
interface ProgramEvent {
  injected?: InjectedFault;
  committed?: { task: string; nextOffset: number };
  snapshot?: string;
  restarted?: string;
  recovered?: number;
  health?: Health;
}

/** Brokers may be down for seconds. A record that a retry appends a second time is one more input record. */
const FEED_RETRY = { initialRetryTime: 50, maxRetryTime: 500, retries: 200 } as const;

/** A processor as a process of its own. */
export class Program {
  readonly child: ChildProcess;
  readonly exited: Promise<unknown>;
  readonly events: ProgramEvent[] = [];
  log = "";

  constructor(given: ProgramArguments) {
    this.child = fork(join(import.meta.dirname, "processor-program.ts"), [JSON.stringify(given)], {
      stdio: ["ignore", "inherit", "pipe", "ipc"],
      execArgv: ["--disable-warning=ExperimentalWarning"],
    });
    this.child.on("message", (message) => this.events.push(message as ProgramEvent));
    this.child.stderr?.on("data", (chunk: Buffer) => (this.log += chunk.toString()));
    this.exited = once(this.child, "exit");
  }

  get alive(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  signal(name: NodeJS.Signals): void {
    this.child.kill(name);
  }

  async end(): Promise<void> {
    if (!this.alive) return;
    this.signal("SIGCONT");
    this.signal("SIGTERM");
    await this.exited;
  }

  async health(): Promise<Health> {
    const before = this.events.length;
    this.child.send("health");
    for (;;) {
      const answer = this.events.slice(before).find((each) => each.health);
      if (answer) return answer.health!;
      await once(this.child, "message");
    }
  }
}

/** A source topic that is fed at a steady rate, its processors, and their committed outputs. */
export class Stream {
  readonly kafka: Kafka;
  readonly given: ProgramArguments;
  readonly partitions: number;
  readonly #programs: Program[] = [];
  #producer: Producer | null = null;
  #feeding: Promise<void> = Promise.resolve();
  #fed = true;

  private constructor(kafka: Kafka, given: ProgramArguments, partitions: number) {
    this.kafka = kafka;
    this.given = given;
    this.partitions = partitions;
  }

  /** On the servers that all suites share, except for `servers`. */
  static async create(
    options: {
      partitions?: number;
      delivery?: "transactional" | "idempotent";
      servers?: Partial<Pick<Connections, "kafkaBrokers" | "dynamodbEndpoint">>;
    } = {},
  ): Promise<Stream> {
    const { kafkaBrokers, dynamodbEndpoint } = { ...sharedServers(), ...options.servers };
    const name = uniqueName("engine");
    const partitions = options.partitions ?? 2;
    const kafka = createKafka({ kafkaBrokers, kafkaAuth: "none", region: "local" }, name);
    const admin = kafka.admin();
    await admin.connect();
    const existing = await admin.listTopics();
    const { counts, thirds, dead } = outputTopics(name);
    const progress = existing.includes(topics.progress.name)
      ? []
      : [
          {
            topic: topics.progress.name,
            numPartitions: topics.progress.partitions,
            configEntries: [{ name: "cleanup.policy", value: "compact" }],
          },
        ];
    await admin.createTopics({
      waitForLeaders: false,
      topics: [
        ...[name, counts, thirds, dead].map((topic) => ({
          topic,
          numPartitions: partitions,
          configEntries: [{ name: "retention.ms", value: "-1" }],
        })),
        ...progress,
      ],
    });
    // With several brokers, one of them may not know the topics yet.
    for (const topic of [name, counts, thirds, dead, topics.progress.name])
      await eventually(() => admin.fetchTopicOffsets(topic));
    await admin.disconnect();
    const dynamodb = createDynamo({ region: "local", dynamodbEndpoint });
    await createCheckpointTable(dynamodb, name);
    dynamodb.destroy();
    return new Stream(
      kafka,
      {
        kafkaBrokers,
        dynamodbEndpoint,
        topic: name,
        table: name,
        environment: name,
        groupId: name,
        delivery: options.delivery ?? "transactional",
        fingerprint: "v1",
      },
      partitions,
    );
  }

  start(changes: Partial<ProgramArguments> = {}): Program {
    const program = new Program({ ...this.given, ...changes });
    this.#programs.push(program);
    return program;
  }

  append(records: readonly { key: string; value: string; partition: number }[]): Promise<void> {
    return this.appendTo(this.given.topic, records);
  }

  async appendTo(topic: string, records: readonly { key: string; value: string; partition: number }[]): Promise<void> {
    if (!this.#producer) {
      this.#producer = this.kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner, retry: FEED_RETRY });
      await this.#producer.connect();
    }
    await this.#producer.send({ topic, messages: [...records] });
  }

  /** Feeds a few records to each partition every 20 ms, until `stopFeeding`. */
  feed(): void {
    this.#fed = false;
    this.#feeding = (async () => {
      for (let n = 0; !this.#fed; n++) {
        await this.append(
          Array.from({ length: this.partitions * 2 }, (_, i) => ({
            key: `k${(n * 7 + i) % 11}`,
            value: "x",
            partition: i % this.partitions,
          })),
        );
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    })();
  }

  async stopFeeding(): Promise<void> {
    this.#fed = true;
    await this.#feeding;
  }

  /** All committed records of a topic's partition. */
  async read(topic: string, partition: number): Promise<InputRecord[]> {
    const cluster = openCluster(this.kafka);
    try {
      const { earliest, latest } = await partitionBounds(cluster, topic, partition);
      const all: InputRecord[] = [];
      for (let offset = earliest; offset < latest;) {
        const { records, nextOffset } = await fetchRecords(cluster, topic, partition, offset);
        all.push(...records);
        offset = nextOffset;
      }
      return all;
    } finally {
      await cluster.disconnect();
    }
  }

  /** Committed outputs and the expected ones as sorted lines (topics are read one after another). */
  async results(): Promise<{ committed: string[]; expected: string[] }> {
    const committed: string[] = [];
    const expected: string[] = [];
    for (let partition = 0; partition < this.partitions; partition++) {
      const log = await this.read(this.given.topic, partition);
      expected.push(
        ...expectedOutputs(
          this.given.topic,
          partition,
          log.map(({ offset, key, value }) => ({
            offset,
            key: Buffer.from(key!).toString(),
            value: Buffer.from(value!).toString(),
          })),
        ),
      );
      for (const topic of Object.values(outputTopics(this.given.topic))) {
        for (const { key, value } of await this.read(topic, partition))
          committed.push(`${topic} ${Buffer.from(key!).toString()} ${Buffer.from(value!).toString()}`);
      }
    }
    return { committed: committed.sort(), expected: expected.sort() };
  }

  async close(): Promise<void> {
    await this.stopFeeding();
    await Promise.all(this.#programs.map((program) => program.end()));
    await this.#producer?.disconnect();
  }
}
