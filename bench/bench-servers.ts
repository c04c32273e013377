import { mkdirSync, rmSync } from "node:fs";
import type { Kafka } from "kafkajs";
import { createTopics, topicToCreate } from "../adapters/kafka-topics.ts";
import { createKafka } from "../adapters/kafka.ts";
import type { Settings } from "../config/settings.ts";
import { pipelines } from "../domain/pipelines.ts";
import { topics } from "../domain/topics.ts";
import { pickFreePorts } from "../local/processes/ports.ts";
import { startServers } from "../local/servers/index.ts";

/** A scenario's own servers, empty at its start. */
export interface BenchServers {
  readonly kafka: Kafka;
  /** Settings for a processor on these servers. */
  readonly settings: Partial<Settings<"processor">> & { healthPort: number };
  /** Forgets all that processors did. With the settings returned, the next reads the filled topics from the start. */
  readonly again: () => Promise<BenchServers["settings"]>;
}

export interface BenchServersOptions {
  readonly partitions: number;
  /** Folder of the servers' data. It is removed at the end. */
  readonly folder: string;
  /** @default a free port */
  readonly kafkaPort?: number;
  /** Additional topics with the configuration of the input topic. */
  readonly inputs?: readonly string[];
}

/** Deletes the groups of processors, and creates all topics but the filled ones anew. */
async function forget(kafka: Kafka, partitions: number, filled: ReadonlySet<string>): Promise<void> {
  const admin = kafka.admin();
  await admin.connect();
  try {
    const existing = new Set(await admin.listTopics());
    const groups = new Set((await admin.listGroups()).groups.map(({ groupId }) => groupId));
    await admin.deleteGroups(
      Object.values(pipelines).flatMap(({ consumerGroup }) => (groups.has(consumerGroup) ? [consumerGroup] : [])),
    );
    const written = Object.values(topics).flatMap(({ name }) =>
      existing.has(name) && !filled.has(name) ? [name] : [],
    );
    await admin.deleteTopics({ topics: written });
    await createTopics(admin, { partitions });
  } finally {
    await admin.disconnect();
  }
}

/** Starts Kafka and DynamoDB Local, creates the topics, runs `work`, and stops the servers. */
export async function withBenchServers<T>(
  { partitions, folder, kafkaPort, inputs = [] }: BenchServersOptions,
  work: (benchServers: BenchServers) => Promise<T>,
): Promise<T> {
  mkdirSync(folder, { recursive: true });
  const servers = await startServers({
    which: ["kafka", "dynamodb"],
    dataDir: folder,
    ...(kafkaPort === undefined ? {} : { ports: { kafka: kafkaPort } }),
  });
  try {
    const kafka = createKafka({ kafkaBrokers: servers.kafkaBrokers, kafkaAuth: "none", region: "local" }, "bench");
    const admin = kafka.admin();
    await admin.connect();
    // The local broker's retention is small, for a laptop's disk. A filled topic must stay until it is read.
    const filled = [topics.imuData.name, ...inputs].map((name) => topicToCreate(topics.imuData, { name, partitions }));
    await admin.createTopics({
      topics: filled.map((topic) => ({
        ...topic,
        configEntries: [...topic.configEntries!, { name: "retention.bytes", value: "-1" }],
      })),
      waitForLeaders: true,
    });
    await createTopics(admin, { partitions });
    await admin.disconnect();
    const [healthPort] = await pickFreePorts(1);
    let runs = 0;
    const nextSettings = (): BenchServers["settings"] => ({
      environment: `bench-${++runs}`,
      checkpointTable: `bench-${runs}-checkpoints`,
      kafkaBrokers: servers.kafkaBrokers,
      dynamodbEndpoint: servers.dynamodbEndpoint,
      healthPort: healthPort!,
      logLevel: "error",
    });
    const again = async (): Promise<BenchServers["settings"]> => {
      await forget(kafka, partitions, new Set(filled.map(({ topic }) => topic)));
      return nextSettings();
    };
    return await work({ kafka, settings: nextSettings(), again });
  } finally {
    await servers.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}
