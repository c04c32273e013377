import { generateAuthToken } from "aws-msk-iam-sasl-signer-js";
import { Kafka, logLevel, type KafkaConfig, type LogEntry } from "kafkajs";
import "./kafkajs-connections.ts";
import "./kafkajs-timers.ts";
import type { Logger } from "./log.ts";

/** How to reach Kafka. */
export interface KafkaConnection {
  /** Comma-separated host:port. */
  readonly kafkaBrokers: string;
  /** `none`: plain text. `iam`: TLS with IAM tokens, on MSK. */
  readonly kafkaAuth: "none" | "iam";
  /** Region of the cluster; only `iam` uses it. */
  readonly region: string;
}

/**
 * A kafkajs client. With `iam`, tokens live for 15 minutes and kafkajs renews them.
 *
 * @param logger Logs what kafkajs warns of; without it, kafkajs logs nothing
 * @param overrides Settings of kafkajs that replace the ones made here
 */
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
    ...(logger ? { logCreator: () => logTo(logger) } : {}),
    ...overrides,
  });
}

function logTo(logger: Logger): (entry: LogEntry) => void {
  return ({ level, log }) => {
    // What is an error to kafkajs was tried again, or is thrown to its caller, who logs it.
    if (level <= logLevel.WARN) logger.warn({ kafka: log }, log.message);
    else logger.info({ kafka: log }, log.message);
  };
}
