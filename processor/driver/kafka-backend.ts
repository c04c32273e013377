import { randomUUID } from "node:crypto";
import { DeleteTableCommand, type DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { type Admin, type Cluster, type Kafka, Partitioners, type Producer } from "kafkajs";
import { openCluster } from "../../adapters/kafka-cluster.ts";
import { createTopics } from "../../adapters/kafka-topics.ts";
import { createKafka } from "../../adapters/kafka.ts";
import { createLogger } from "../../adapters/log.ts";
import { topics } from "../../domain/topics.ts";
import { createDynamo } from "../adapters/dynamo-client.ts";
import { createCheckpointTable, DynamoSnapshots } from "../adapters/dynamo-snapshots.ts";
import { claimKey } from "../adapters/kafka-claim.ts";
import { KafkaInput } from "../adapters/kafka-input.ts";
import { TransactionalOutput } from "../adapters/kafka-output.ts";
import { outputTarget, type OutputTarget } from "../adapters/output-target.ts";
import type { TaskPorts } from "../engine/ports.ts";
import { defaultTaskOptions } from "../engine/task-options.ts";
import type { InputRecord, MachineFactory } from "../runtime/machine.ts";
import type { DriverBackend, WrittenRecord } from "./backend.ts";
import { Connections } from "./connections.ts";
import { type OpenedPorts, Owner } from "./owner.ts";
import { DriverTopics } from "./topics.ts";

/** Servers that a driver can use, such as those of `npm start` and `npm test`. */
export interface DriverServers {
  /** Comma-separated `host:port`. */
  readonly kafkaBrokers: string;
  /** URL of DynamoDB Local. */
  readonly dynamodbEndpoint: string;
  /**
   * Wraps the ports of each life of the task: a test makes calls fail there. Each call must end some time, because
   * `close()` waits for it. @default the ports as they are
   */
  wrap?(ports: TaskPorts): TaskPorts;
}

/** Retries of kafkajs. Local servers answer soon, so a fence learns quickly that an older transaction has ended. */
const RETRY = { initialRetryTime: 20, maxRetryTime: 500, retries: 8 };
/** Most records of one produce request. */
const MAX_SENT = 1_000;

/** A `DriverBackend` on Kafka and DynamoDB. `open` comes first. */
export class KafkaBackend implements DriverBackend {
  readonly #name = `driver-${randomUUID()}`;
  readonly #servers: DriverServers;
  readonly #kafka: Kafka;
  readonly #admin: Admin;
  readonly #producer: Producer;
  readonly #cluster: Cluster;
  readonly #topics: DriverTopics;
  readonly #input: KafkaInput;
  readonly #dynamodb: DynamoDBClient;
  readonly #snapshots: DynamoSnapshots;
  /** The pipeline, reading from the topic on the brokers. Its machine keeps the pipeline's own topic names. */
  readonly #factory: MachineFactory;
  readonly #source: string;
  readonly #target: OutputTarget;
  #owner: Owner | null = null;
  readonly #crashes: Promise<void>[] = [];
  /** Offset that the next record will get. */
  #end = 0;

  constructor(factory: MachineFactory, servers: DriverServers) {
    this.#servers = servers;
    this.#kafka = this.#client();
    this.#admin = this.#kafka.admin();
    this.#producer = this.#kafka.producer({
      idempotent: true,
      maxInFlightRequests: 1,
      createPartitioner: Partitioners.DefaultPartitioner,
      allowAutoTopicCreation: false,
    });
    this.#cluster = openCluster(this.#kafka);
    this.#topics = new DriverTopics(this.#admin, this.#cluster, this.#name);
    this.#source = factory.sourceTopic;
    const sourceTopic = this.#topics.nameOf(this.#source);
    this.#input = new KafkaInput(this.#kafka, sourceTopic, createLogger("driver", "error"));
    this.#dynamodb = createDynamo({ region: "local", dynamodbEndpoint: servers.dynamodbEndpoint });
    this.#snapshots = new DynamoSnapshots(this.#dynamodb, this.#name);
    this.#factory = {
      pipeline: factory.pipeline,
      sourceTopic,
      log: sourceTopic,
      fingerprint: factory.fingerprint,
      version: factory.version,
      create: (origin) => factory.create(origin),
    };
    this.#target = outputTarget({ environment: this.#name, groupId: this.#name, factory: this.#factory }, 0);
  }

  async open(): Promise<void> {
    await Promise.all([
      this.#admin.connect(),
      this.#producer.connect(),
      this.#cluster.connect(),
      createCheckpointTable(this.#dynamodb, this.#name),
    ]);
    await createTopics(this.#admin, { specs: [topics.progress] });
    await this.#topics.create([this.#source]);
  }

  async append(records: readonly InputRecord[]): Promise<void> {
    for (let from = 0; from < records.length; from += MAX_SENT) {
      const messages = records.slice(from, from + MAX_SENT).map(({ timestamp, key, value, headers }) => ({
        partition: 0,
        timestamp: String(timestamp),
        key: bufferOf(key),
        value: bufferOf(value),
        headers: { ...headers },
      }));
      await this.#producer.send({ topic: this.#topics.nameOf(this.#source), messages });
      this.#end += messages.length;
    }
  }

  async settle(): Promise<readonly WrittenRecord[]> {
    const owner = await this.#settled();
    return owner === this.#owner ? this.#topics.takeNew() : [];
  }

  async snapshot(): Promise<void> {
    const owner = await this.#settled();
    await owner.handOver();
    const { nextOffset } = (await this.#snapshots.readManifest(this.#target.task))?.covers ?? { nextOffset: 0 };
    if (owner !== this.#owner) return; // a crash came meanwhile
    this.#owner = null;
    if (nextOffset !== this.#end)
      throw new Error(`the hand-over left a snapshot of offsets below ${nextOffset}, not below ${this.#end}`);
    await this.#settled();
  }

  /** The owner, when it has reached the end of the log, or when a crash came first. */
  async #settled(): Promise<Owner> {
    const owner = (this.#owner ??= new Owner(this.#factory, () => this.#openPorts(), this.#topics));
    await owner.reach(this.#end);
    return owner;
  }

  flush(): Promise<never> {
    const message =
      "time does not end on Kafka, so flush() is for drivers in memory; advance the clock past the idle timeout";
    return Promise.reject(new Error(message));
  }

  crash(): void {
    if (this.#owner) this.#crashes.push(this.#owner.crash());
    this.#owner = null;
  }

  /** Fences first: that ends a transaction that a crash has left open. Then removes everything. */
  async close(): Promise<void> {
    this.crash();
    await Promise.all(this.#crashes);
    const { task } = this.#target;
    try {
      const fence = this.#openOutput(this.#kafka);
      await fence.fence();
      await fence.discard();
      await this.#producer.send({
        topic: topics.progress.name,
        messages: [task, claimKey(task)].map((key) => ({ partition: 0, key, value: null })),
      });
      await this.#topics.remove();
      await this.#dynamodb.send(new DeleteTableCommand({ TableName: this.#name }));
    } finally {
      await this.disconnect();
    }
  }

  /** Ends all connections. `close` does so, too. */
  async disconnect(): Promise<void> {
    await Promise.allSettled([
      this.#input.close(),
      this.#producer.disconnect(),
      this.#admin.disconnect(),
      this.#cluster.disconnect(),
    ]);
    this.#dynamodb.destroy();
  }

  #openPorts(): OpenedPorts {
    const connections = new Connections();
    const ports: TaskPorts = {
      input: this.#input.open(0),
      output: this.#openOutput(this.#client(connections)),
      snapshots: this.#snapshots,
    };
    return { ports: this.#servers.wrap?.(ports) ?? ports, cut: () => connections.cut() };
  }

  #openOutput(kafka: Kafka): TransactionalOutput {
    return new TransactionalOutput(kafka, this.#cluster, this.#target, defaultTaskOptions.transactionTimeoutMs);
  }

  #client(connections?: Connections): Kafka {
    return createKafka(
      { kafkaBrokers: this.#servers.kafkaBrokers, kafkaAuth: "none", region: "local" },
      this.#name,
      undefined,
      { retry: RETRY, ...(connections ? { socketFactory: connections.open } : {}) },
    );
  }
}

function bufferOf(bytes: Uint8Array | null): Buffer | null {
  return bytes === null ? null : Buffer.from(bytes);
}
