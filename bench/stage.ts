import { mkdirSync, rmSync } from "node:fs";
import type { Kafka } from "kafkajs";
import { createTopics, topicConfig } from "../adapters/kafka-topics.ts";
import { createKafka } from "../adapters/kafka.ts";
import type { Settings } from "../config/settings.ts";
import { topics } from "../domain/topics.ts";
import { pickFreePorts } from "../local/ports.ts";
import { startServers } from "../local/servers/index.ts";

/** What a scenario runs on: servers of its own, empty at the start. */
export interface Stage {
  readonly kafka: Kafka;
  /** What a processor on this stage is started with. */
  readonly settings: Partial<Settings<"processor">> & { healthPort: number };
}

export interface StageOptions {
  readonly partitions: number;
  /** Folder of the servers' data; removed at the end. */
  readonly folder: string;
  /** @default a free one */
  readonly kafkaPort?: number;
  /** Topics like the input topic, beside those of Millrace. */
  readonly inputs?: readonly string[];
}

/** Starts Kafka and DynamoDB Local, creates the topics, and stops all of it when `work` is done. */
export async function onStage<T>(
  { partitions, folder, kafkaPort, inputs = [] }: StageOptions,
  work: (stage: Stage) => Promise<T>,
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
    // The local broker keeps a laptop's disk small; a filled topic has to stay until it is read.
    const filled = [topics.imuData.name, ...inputs].map((name) => topicConfig(topics.imuData, name, partitions));
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
    return await work({
      kafka,
      settings: {
        environment: "bench",
        kafkaBrokers: servers.kafkaBrokers,
        dynamodbEndpoint: servers.dynamodbEndpoint,
        healthPort: healthPort!,
        logLevel: "error",
      },
    });
  } finally {
    await servers.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}
