import { generateAuthToken } from "aws-msk-iam-sasl-signer-js";
import { Kafka, logLevel, type KafkaConfig, type LogEntry } from "kafkajs";
import "./kafkajs-timers.ts";
import type { Logger } from "./log.ts";

export interface KafkaConnection {
  /** Comma-separated host:port. */
  readonly kafkaBrokers: string;
  readonly kafkaAuth: "none" | "iam";
  readonly region: string;
}

/** A kafkajs client: plain on a laptop, TLS with IAM tokens (15 minutes, renewed by kafkajs) on MSK. */
export function createKafka(
  connection: KafkaConnection,
  clientId: string,
  logger?: Logger,
  overrides: Partial<KafkaConfig> = {},
): Kafka {
  const iam: Partial<KafkaConfig> = {
    ssl: true,
    sasl: {
      mechanism: "oauthbearer",
      oauthBearerProvider: async () => ({ value: (await generateAuthToken({ region: connection.region })).token }),
    },
  };
  return new Kafka({
    clientId,
    brokers: connection.kafkaBrokers.split(",").map((broker) => broker.trim()),
    ...(connection.kafkaAuth === "iam" ? iam : {}),
    logLevel: logger ? logLevel.WARN : logLevel.NOTHING,
    ...(logger
      ? {
          logCreator: () => (entry: LogEntry) =>
            logger[entry.level <= logLevel.ERROR ? "error" : entry.level === logLevel.WARN ? "warn" : "info"](
              { kafka: entry.log },
              entry.log.message,
            ),
        }
      : {}),
    ...overrides,
  });
}
