import type { Kafka } from "kafkajs";
import type { PlatformPorts } from "../../local/processes/ports.ts";
import type { SensorReport } from "../../simulator/report.ts";
import type { KafkaCluster } from "../support/kafka-cluster.ts";
import type { StartedPlatform } from "../support/platform.ts";

/** How long a process, a broker or a group may take to be there again. */
export const UP_LIMIT_MS = 240_000;

/** What a fault has to work with. */
export interface Stage {
  readonly platform: StartedPlatform;
  /** Folder of the platform's data and logs. */
  readonly home: string;
  readonly ports: PlatformPorts;
  readonly kafka: Kafka;
  readonly kafkaBrokers: string;
  /** The three brokers; null when the platform runs its own Kafka. */
  readonly cluster: KafkaCluster | null;
  /** The next number in [0, 1). */
  readonly random: () => number;
  /** What faults have appended to the input, sensor by sensor. It is accounted for like the simulator's readings. */
  readonly appended: Record<string, SensorReport>;
  /** Changes of settings that were made. */
  readonly settingsChanges: string[];
}
