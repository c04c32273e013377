import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Admin } from "kafkajs";
import { createKafka } from "../../adapters/kafka.ts";
import { pickFreePorts } from "../../local/processes/ports.ts";
import { SERVERS_FOLDER, type ServerPorts } from "../../local/servers/index.ts";
import { installServers } from "../../local/servers/install.ts";
import { kafkaBrokers, kafkaServer } from "../../local/servers/kafka.ts";
import { prepareServer, runServer, type Server } from "../../local/servers/server.ts";
import { eventually } from "./eventually.ts";

const NODES = [1, 2, 3] as const;
/** A cluster's id is any 16 bytes in URL-safe base64. */
const CLUSTER_ID = "bWlsbHJhY2UtY2x1c3Rlcg";
const IN_SYNC_LIMIT_MS = 120_000;

/** All topics have three replicas, and two of them must acknowledge a write: any one broker may die. */
const settings = {
  "default.replication.factor": 3,
  "min.insync.replicas": 2,
  "offsets.topic.replication.factor": 3,
  "transaction.state.log.replication.factor": 3,
  "transaction.state.log.min.isr": 2,
  // Leadership returns to the preferred broker at once, not within five minutes.
  "leader.imbalance.check.interval.seconds": 1,
  "leader.imbalance.per.broker.percentage": 0,
};

/** A Kafka cluster of three brokers, with data and ports of its own. */
export class KafkaCluster {
  readonly brokers: readonly Server[];
  readonly kafkaBrokers: string;
  readonly #dataDir: string;
  readonly #admin: Admin;

  private constructor(brokers: readonly Server[], addresses: string, dataDir: string, admin: Admin) {
    this.brokers = brokers;
    this.kafkaBrokers = addresses;
    this.#dataDir = dataDir;
    this.#admin = admin;
  }

  /** Resolves when all three are in sync. */
  static async start(): Promise<KafkaCluster> {
    const installation = await installServers({
      folder: SERVERS_FOLDER,
      javaHome: process.env["JAVA_HOME"],
      onProgress: () => undefined,
    });
    const ports = await pickFreePorts(NODES.length * 2);
    const controllerPorts = new Map(NODES.map((id, i) => [id, ports[NODES.length + i]!]));
    const nodePorts = NODES.map((id, i): ServerPorts => ({
      kafka: ports[i]!,
      kafkaController: controllerPorts.get(id)!,
      mqtt: 0,
      dynamodb: 0,
      mongodb: 0,
    }));
    const dataDir = join(SERVERS_FOLDER, "..", `cluster-${process.pid}`);
    mkdirSync(dataDir, { recursive: true });
    const started = await Promise.allSettled(
      NODES.map((id, i) => {
        const definition = kafkaServer({
          id,
          cluster: { id: CLUSTER_ID, controllerPorts },
          settings,
          javaOptions: ["-Xmx320m", "-Xms64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"],
        });
        return runServer(
          definition,
          prepareServer(definition, installation, nodePorts[i]!, join(dataDir, String(id))),
          nodePorts[i]!,
        );
      }),
    );
    const brokers = started.flatMap((each) => (each.status === "fulfilled" ? [each.value] : []));
    const addresses = nodePorts.map(kafkaBrokers).join(",");
    const admin = createKafka({ kafkaBrokers: addresses, kafkaAuth: "none", region: "local" }, "cluster").admin();
    const cluster = new KafkaCluster(brokers, addresses, dataDir, admin);
    try {
      for (const each of started) if (each.status === "rejected") throw each.reason;
      await cluster.inSync();
      return cluster;
    } catch (error) {
      await cluster.stop();
      throw error;
    }
  }

  /** Resolves when all partitions, internal ones included, have all replicas in sync and their preferred leader. */
  async inSync(): Promise<void> {
    await eventually(
      async () => {
        await this.#admin.connect();
        const { topics } = await this.#admin.fetchTopicMetadata();
        const behind = topics.flatMap(({ name, partitions }) =>
          partitions
            .filter(({ isr, leader, replicas }) => isr.length < replicas.length || leader !== replicas[0])
            .map(({ partitionId, isr, leader }) => `${name}/${partitionId} led by ${leader}, in sync ${isr.join(" ")}`),
        );
        if (behind.length > 0) throw new Error(`not in sync: ${behind.join("; ")}`);
      },
      { limitMs: IN_SYNC_LIMIT_MS },
    );
  }

  /** Moves each partition of a topic to the given brokers, the leader first; resolves when they are in sync. */
  async assign(topic: string, replicas: readonly (readonly number[])[]): Promise<void> {
    await this.#admin.alterPartitionReassignments({
      topics: [{ topic, partitionAssignment: replicas.map((each, partition) => ({ partition, replicas: [...each] })) }],
    });
    await eventually(
      async () => {
        const { topics } = await this.#admin.fetchTopicMetadata({ topics: [topic] });
        for (const { partitionId, leader, isr } of topics[0]!.partitions) {
          const wanted = replicas[partitionId]!;
          if (leader !== wanted[0] || isr.length !== wanted.length)
            throw new Error(
              `${topic}/${partitionId} is led by ${leader} and in sync on ${isr.join(" ")}, not on ${wanted.join(" ")}`,
            );
        }
      },
      { limitMs: IN_SYNC_LIMIT_MS },
    );
  }

  /** Kills the brokers and removes their data. */
  async stop(): Promise<void> {
    await this.#admin.disconnect().catch(() => undefined);
    await Promise.all(this.brokers.map((broker) => broker.kill()));
    rmSync(this.#dataDir, { recursive: true, force: true });
  }
}
