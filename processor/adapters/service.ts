import type { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import type { Kafka } from "kafkajs";
import type { Health } from "../../adapters/health.ts";
import { openCluster } from "../../adapters/kafka-cluster.ts";
import { KafkaMembership } from "../../adapters/kafka-membership.ts";
import type { Logger } from "../../adapters/log.ts";
import type { EngineObserver, TaskPorts } from "../engine/ports.ts";
import { Processor } from "../engine/processor.ts";
import type { TaskOptions } from "../engine/task-options.ts";
import type { MachineFactory } from "../runtime/machine.ts";
import { DynamoSnapshots } from "./dynamo-snapshots.ts";
import { IdempotentOutput } from "./kafka-idempotent-output.ts";
import { KafkaInput } from "./kafka-input.ts";
import { TransactionalOutput } from "./kafka-output.ts";
import { KeptSegments } from "./kept-segments.ts";
import { outputTarget } from "./output-target.ts";
import { processorHealth } from "./processor-health.ts";
import { systemRuntime } from "./runtime.ts";

/** What a processor is made of. */
export interface ServiceParts {
  readonly kafka: Kafka;
  readonly dynamodb: DynamoDBClient;
  readonly checkpointTable: string;
  /** Bytes of snapshots that are kept in memory, see `KeptSegments`. */
  readonly keptSegmentBytes: number;
  readonly environment: string;
  readonly groupId: string;
  readonly delivery: "transactional" | "idempotent";
  readonly factory: MachineFactory;
  readonly options: TaskOptions;
  readonly observer: EngineObserver;
  readonly logger: Logger;
  /** Wraps the ports of each life of a task: tests make calls fail there. @default the ports as they are */
  wrap?(ports: TaskPorts): TaskPorts;
  /** Called when the process can do nothing more and should end. */
  onLost(error: unknown): void;
}

/** A running processor: the engine on its real ports. */
export interface Service {
  /** See `processorHealth`. */
  health(): Health;
  /** Hands all tasks over, leaves the group and disconnects. */
  stop(): Promise<void>;
}

/** Starts a processor on Kafka and DynamoDB: joins the group and runs the tasks that it is assigned. */
export async function startService(parts: ServiceParts): Promise<Service> {
  const { kafka, factory, groupId } = parts;
  const input = new KafkaInput(kafka, factory.sourceTopic, parts.logger);
  const progressCluster = openCluster(kafka);
  const table = new DynamoSnapshots(parts.dynamodb, parts.checkpointTable);
  const snapshots = new KeptSegments(table, parts.keptSegmentBytes);
  const membership = new KafkaMembership(kafka, groupId, [factory.sourceTopic], parts.logger);
  const processor = new Processor(
    membership,
    {
      factory,
      options: parts.options,
      observer: parts.observer,
      runtime: systemRuntime,
      openPorts: (partition) => {
        const target = outputTarget(parts, partition);
        const output =
          parts.delivery === "transactional"
            ? new TransactionalOutput(kafka, progressCluster, target, parts.options.transactionTimeoutMs)
            : new IdempotentOutput(kafka, target, (...commit) => membership.commitOffset(...commit));
        const ports: TaskPorts = { input: input.open(partition), output, snapshots };
        return parts.wrap?.(ports) ?? ports;
      },
    },
    (error) => parts.onLost(error),
  );
  await processor.start();
  return {
    health: () => processorHealth(processor.joined, processor.tasks(), systemRuntime.now()),
    stop: async () => {
      await processor.stop();
      await Promise.all([input.close(), progressCluster.disconnect()]);
    },
  };
}
