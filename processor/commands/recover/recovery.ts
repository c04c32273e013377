import type { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import type { Kafka } from "kafkajs";
import type { Logger } from "../../../adapters/log.ts";
import { taskKey } from "../../../domain/names.ts";
import { DynamoSnapshots } from "../../adapters/dynamo-snapshots.ts";
import { openCluster } from "../../adapters/kafka-cluster.ts";
import { IdempotentOutput } from "../../adapters/kafka-idempotent-output.ts";
import { KafkaInput } from "../../adapters/kafka-input.ts";
import { KafkaMembership } from "../../adapters/kafka-membership.ts";
import { TransactionalOutput } from "../../adapters/kafka-output.ts";
import { currentProgress } from "../../adapters/kafka-progress.ts";
import { outputTarget } from "../../adapters/output-target.ts";
import { systemRuntime } from "../../adapters/runtime.ts";
import type { Progress, TaskOutput } from "../../engine/ports.ts";
import { quietObserver } from "../../engine/quiet-observer.ts";
import type { RecoveryChoice } from "../../engine/recovery-choices.ts";
import { diagnose, recover, type Diagnosis } from "../../engine/recovery.ts";
import type { MachineFactory } from "../../runtime/machine.ts";

/** Whose tasks they are, and where their log and snapshots are. */
export interface RecoveryTarget {
  readonly kafka: Kafka;
  readonly dynamodb: DynamoDBClient;
  readonly checkpointTable: string;
  readonly environment: string;
  readonly groupId: string;
  readonly delivery: "transactional" | "idempotent";
  readonly factory: MachineFactory;
  readonly logger: Logger;
}

/** Diagnoses tasks on Kafka and DynamoDB, and carries out the operator's choices. Close it after use. */
export class Recovery {
  readonly #target: RecoveryTarget;
  readonly #cluster;
  readonly #input: KafkaInput;
  readonly #snapshots: DynamoSnapshots;

  constructor(target: RecoveryTarget) {
    this.#target = target;
    this.#cluster = openCluster(target.kafka);
    this.#input = new KafkaInput(target.kafka, target.factory.sourceTopic, target.logger);
    this.#snapshots = new DynamoSnapshots(target.dynamodb, target.checkpointTable);
  }

  /** Tasks with their partition of the source topic, in the order of partitions. */
  async tasks(): Promise<Map<string, number>> {
    const { pipeline, sourceTopic } = this.#target.factory;
    await this.#cluster.connect();
    await this.#cluster.addTargetTopic(sourceTopic);
    const partitions = this.#cluster
      .findTopicPartitionMetadata(sourceTopic)
      .map(({ partitionId }) => partitionId)
      .sort((a, b) => a - b);
    return new Map(partitions.map((partition) => [taskKey(pipeline, sourceTopic, partition), partition]));
  }

  /** Reads how far a task is, and what stops it. Changes nothing. */
  async diagnose(task: string, partition: number): Promise<Diagnosis> {
    const progress =
      this.#target.delivery === "transactional"
        ? await currentProgress(this.#cluster, task, partition)
        : await this.#with(this.#idempotent(partition), (output) => output.claim(""));
    return this.#with(this.#output(partition), (output) =>
      this.#withInput(task, partition, output, (parts) => diagnose(parts, progress)),
    );
  }

  /** Carries out a choice and gives the progress that is committed by it. */
  async recover(task: string, partition: number, choice: RecoveryChoice): Promise<Progress> {
    if (this.#target.delivery === "transactional")
      return this.#with(this.#output(partition), (output) =>
        this.#withInput(task, partition, output, (parts) => recover(parts, choice)),
      );
    const membership = new KafkaMembership(
      this.#target.kafka,
      this.#target.groupId,
      this.#target.factory.sourceTopic,
      this.#target.logger,
    );
    await new Promise<void>(
      (resolve, reject) =>
        void membership
          .join({ onAssigned: () => resolve(), onRebalancing: () => undefined, onLost: reject })
          .catch(reject),
    );
    try {
      return await this.#with(this.#idempotent(partition, membership), (output) =>
        this.#withInput(task, partition, output, (parts) => recover(parts, choice)),
      );
    } finally {
      await membership.leave();
    }
  }

  async close(): Promise<void> {
    await Promise.all([this.#input.close(), this.#cluster.disconnect()]);
  }

  #output(partition: number): TaskOutput {
    return new TransactionalOutput(this.#target.kafka, this.#cluster, outputTarget(this.#target, partition));
  }

  #idempotent(partition: number, membership?: KafkaMembership): TaskOutput {
    return new IdempotentOutput(this.#target.kafka, outputTarget(this.#target, partition), async (...commit) =>
      membership?.commitOffset(...commit),
    );
  }

  async #with<T>(output: TaskOutput, work: (output: TaskOutput) => Promise<T>): Promise<T> {
    try {
      return await work(output);
    } finally {
      await output.discard();
    }
  }

  async #withInput<T>(
    task: string,
    partition: number,
    output: TaskOutput,
    work: (parts: Parameters<typeof diagnose>[0]) => Promise<T>,
  ): Promise<T> {
    const input = this.#input.open(partition);
    try {
      return await work({
        task,
        partition,
        factory: this.#target.factory,
        ports: { input, output, snapshots: this.#snapshots },
        runtime: systemRuntime,
        observer: quietObserver(this.#target.logger),
      });
    } finally {
      input.close();
    }
  }
}
