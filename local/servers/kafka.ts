import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createKafka } from "../../adapters/kafka.ts";
import { LOOPBACK } from "../../config/local.ts";
import { MillraceError } from "../../domain/errors.ts";
import { DEFAULT_PARTITIONS } from "../../domain/topics.ts";
import type { ServerDefinition, ServerPorts } from "./definition.ts";

/** Few partitions of the internal topics start, and restart, sooner. */
const INTERNAL_PARTITIONS = 5;
/**
 * Groups whose names hash (Java's `String.hashCode`) to one partition of the offsets topic each: when all of them are
 * answered, so is every group. The first question creates that topic, which clients would otherwise see as errors.
 */
const PROBE_GROUPS = ["0", "1", "2", "3", "4"];

type Settings = Readonly<Record<string, string | number | boolean>>;

/** One node, broker and controller in one process. */
export interface KafkaNode {
  readonly id: number;
  /** The cluster that it is a node of: by default it is a cluster of its own. */
  readonly cluster?: { readonly id: string; /** By node id. */ readonly controllerPorts: ReadonlyMap<number, number> };
  /** What differs from the settings of a node on its own. */
  readonly settings?: Settings;
  readonly javaOptions: readonly string[];
}

/** Apache Kafka in KRaft mode, a cluster of one. */
export const kafka: ServerDefinition = kafkaServer({ id: 1, javaOptions: ["-Xmx512m", "-Xms128m"] });

export function kafkaServer(node: KafkaNode): ServerDefinition {
  return {
    name: "kafka",
    title: "Apache Kafka",
    ports: ["kafka", "kafkaController"],
    mainClass: "KafkaServer",
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

/** Asks as clients do: for brokers, for groups and for a transaction's producer. */
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
    // Tells this client its brokers, too.
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

/** Kafka gives up on such a file with a stack trace; here it is said before. */
function checkMetaProperties(file: string, nodeId: number): void {
  if (!existsSync(file)) return;
  let content: string;
  try {
    content = readFileSync(file, "utf8");
  } catch (cause) {
    throw new MillraceError(
      "data-folder-broken",
      `${file} cannot be read: give it back to this user, or forget the data with --fresh`,
      { cause },
    );
  }
  if (!/^cluster\.id=\S+$/m.test(content) || !new RegExp(`^node\\.id=${nodeId}$`, "m").test(content)) {
    throw new MillraceError(
      "data-folder-broken",
      `${file} is not what Kafka wrote there (no cluster.id, or node.id is not ${nodeId}): restore the folder, or forget the data with --fresh`,
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
    // A group starts at once, and may notice a dead member within a second (MSK Serverless: 6 s at least).
    "group.initial.rebalance.delay.ms": 0,
    "group.min.session.timeout.ms": 1_000,
    // Transactions of dead producers are looked for every second instead of every ten.
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": 1_000,
    // After a kill -9 the broker comes back as soon as its old session has run out: 9 s by default.
    "broker.heartbeat.interval.ms": 500,
    "broker.session.timeout.ms": 3_000,
    // A laptop's disk: 1 GiB a partition at most, in segments of 128 MiB with indexes to match.
    "log.retention.bytes": 1_073_741_824,
    "log.segment.bytes": 134_217_728,
    "log.index.size.max.bytes": 1_048_576,
    "num.recovery.threads.per.data.dir": 2,
    "log.cleaner.dedupe.buffer.size": 16_777_216,
    // Compaction of the small progress topic.
    "log.cleaner.backoff.ms": 15_000,
    "num.network.threads": 2,
    "num.io.threads": 4,
  };
}
