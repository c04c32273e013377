import type { Kafka } from "kafkajs";
import type { Logger } from "../../../adapters/log.ts";
import type { SnapshotStore } from "../../engine/ports.ts";
import type { MachineFactory } from "../../runtime/machine.ts";

/** Which pipeline is rescaled, and where its log and snapshots are. */
export interface RescaleTarget {
  readonly kafka: Kafka;
  readonly snapshots: SnapshotStore;
  readonly environment: string;
  readonly groupId: string;
  readonly factory: MachineFactory;
  /** Topics that have the input's number of partitions: what the pipeline writes, without `millrace-progress`. */
  readonly outputTopics: readonly string[];
  readonly logger: Logger;
  /** Called with a sentence about each step that is done. */
  report(sentence: string): void;
}
