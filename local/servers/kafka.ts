import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createKafka } from "../../adapters/kafka.ts";
import { LOOPBACK } from "../../config/local.ts";
import { MillraceError } from "../../domain/errors.ts";
import { DEFAULT_PARTITIONS } from "../../domain/topics.ts";
import type { ServerDefinition, ServerPorts } from "./definition.ts";

/** With few partitions of the internal topics, the broker starts faster. */
const INTERNAL_PARTITIONS = 5;
/**
 * Names whose hashes (Java's `String.hashCode`) select each partition of the offsets topic once. When the broker
 * answers for all of them, it answers for every group. The first request creates the topic, so that clients do not see
 * errors while it is created.
 */
const PROBE_GROUPS = ["0", "1", "2", "3", "4"];

type Settings = Readonly<Record<string, string | number | boolean>>;

/** One node, broker and controller in one process. */
export interface KafkaNode {
  readonly id: number;
  /**
   * Id of the cluster, and the controllers' ports by node id.
   *
   * @default a cluster of this node alone
   */
  readonly cluster?: { readonly id: string; readonly controllerPorts: ReadonlyMap<number, number> };
  /** Settings that override those of a single node. */
  readonly settings?: Settings;
  readonly javaOptions: readonly string[];
}

/** The young generation is small: what a request allocates dies with it, and pages once touched stay resident. */
export const kafkaJavaOptions: readonly string[] = ["-Xmx256m", "-Xms64m", "-Xmn32m", "-XX:+UseSerialGC"];

/** Apache Kafka in KRaft mode, a cluster of one node. */
export const kafka: ServerDefinition = kafkaServer({ id: 1, javaOptions: kafkaJavaOptions });

/** The definition of one Kafka node. */
export function kafkaServer(node: KafkaNode): ServerDefinition {
  return {
    name: "kafka",
    title: "Apache Kafka",
    ports: ["kafka", "kafkaController"],
    mainClass: "KafkaServer",
    moreJars: [],
    javaOptions: node.javaOptions,
    prepare(folder, ports) {
      const logs = join(folder, "logs");
      checkMetaProperties(join(logs, "meta.properties"), node.id);
      const file = join(folder, "server.properties");
      writeFileSync(
        file,
        Object.entries({ ...settings(node, logs, ports), ...node.settings })
          .map(([name, value]) => `${name}=${value}\n`)
          .join(""),
      );
      return node.cluster ? [file, node.cluster.id] : [file];
    },
    probe,
  };
}

/** Sends what clients send first: requests for brokers, for groups, and for a transactional producer. */
async function probe(ports: ServerPorts): Promise<void> {
  const kafka = createKafka(
    { kafkaBrokers: kafkaBrokers(ports), kafkaAuth: "none", region: "local" },
    "millrace-local",
    undefined,
    { retry: { retries: 0 }, connectionTimeout: 1_000, requestTimeout: 5_000 },
  );
  const admin = kafka.admin();
  const producer = kafka.producer({
    transactionalId: "millrace-probe",
    maxInFlightRequests: 1,
    idempotent: true,
    retry: { retries: 1, initialRetryTime: 50 },
  });
  try {
    await admin.connect();
    // Refreshes this client's list of brokers, too.
    await admin.describeCluster();
    for (const groupId of PROBE_GROUPS) await admin.fetchOffsets({ groupId });
    await producer.connect();
  } finally {
    await Promise.allSettled([admin.disconnect(), producer.disconnect()]);
  }
}

export function kafkaBrokers(ports: Pick<ServerPorts, "kafka">): string {
  return `${LOOPBACK}:${ports.kafka}`;
}

/** Kafka reports a damaged file as a stack trace. This check reports it with the remedy, before Kafka starts. */
function checkMetaProperties(file: string, nodeId: number): void {
  if (!existsSync(file)) return;
  let content: string;
  try {
    content = readFileSync(file, "utf8");
  } catch (cause) {
    throw new MillraceError(
      "data-folder-broken",
      `${file} cannot be read. Give this user access to it, or delete the data with --fresh.`,
      { cause },
    );
  }
  if (!/^cluster\.id=\S+$/m.test(content) || !new RegExp(`^node\\.id=${nodeId}$`, "m").test(content)) {
    throw new MillraceError(
      "data-folder-broken",
      `${file} is damaged (it has no cluster.id, or its node.id is not ${nodeId}). ` +
        "Restore the folder, or delete the data with --fresh.",
    );
  }
}

function settings(node: KafkaNode, logs: string, ports: ServerPorts): Settings {
  const controllers = node.cluster?.controllerPorts ?? new Map([[node.id, ports.kafkaController]]);
  return {
    "process.roles": "broker,controller",
    "node.id": node.id,
    "controller.quorum.voters": Array.from(controllers, ([id, port]) => `${id}@${LOOPBACK}:${port}`).join(","),
    "controller.listener.names": "CONTROLLER",
    listeners: `PLAINTEXT://${LOOPBACK}:${ports.kafka},CONTROLLER://${LOOPBACK}:${ports.kafkaController}`,
    "advertised.listeners": `PLAINTEXT://${LOOPBACK}:${ports.kafka}`,
    "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
    "log.dirs": logs,
    "auto.create.topics.enable": false,
    "num.partitions": DEFAULT_PARTITIONS,
    // One node: nothing to replicate to.
    "offsets.topic.replication.factor": 1,
    "offsets.topic.num.partitions": INTERNAL_PARTITIONS,
    "transaction.state.log.replication.factor": 1,
    "transaction.state.log.min.isr": 1,
    "transaction.state.log.num.partitions": INTERNAL_PARTITIONS,
    // A group starts without delay. Clients may ask for a session timeout of 1 s (MSK Serverless: 6 s or more).
    "group.initial.rebalance.delay.ms": 0,
    "group.min.session.timeout.ms": 1_000,
    // Transactions of dead producers are aborted within a second instead of ten.
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": 1_000,
    // After kill -9, a broker can return when its old session has expired. The default is 9 s.
    "broker.heartbeat.interval.ms": 500,
    "broker.session.timeout.ms": 3_000,
    // Retention deletes whole segments.
    "log.segment.bytes": 33_554_432,
    "log.index.size.max.bytes": 1_048_576,
    "num.recovery.threads.per.data.dir": 2,
    "log.cleaner.dedupe.buffer.size": 16_777_216,
    // The progress topic is small, so compaction looks at it often.
    "log.cleaner.backoff.ms": 15_000,
    "num.network.threads": 2,
    "num.io.threads": 4,
    "background.threads": 2,
    "auto.include.jmx.reporter": false,
  };
}
