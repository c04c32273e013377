import type { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import type { Kafka } from "kafkajs";
import { openCluster } from "../../../adapters/kafka-cluster.ts";
import { KafkaMembership } from "../../../adapters/kafka-membership.ts";
import type { Logger } from "../../../adapters/log.ts";
import { taskKey } from "../../../domain/names.ts";
import { DynamoSnapshots } from "../../adapters/dynamo-snapshots.ts";
import { IdempotentOutput } from "../../adapters/kafka-idempotent-output.ts";
import { KafkaInput } from "../../adapters/kafka-input.ts";
import { TransactionalOutput } from "../../adapters/kafka-output.ts";
import { currentProgress } from "../../adapters/kafka-progress.ts";
import { outputTarget } from "../../adapters/output-target.ts";
import { systemRuntime } from "../../adapters/runtime.ts";
import type { Progress } from "../../engine/ports.ts";
import { quietObserver } from "../../engine/quiet-observer.ts";
import type { RecoveryChoice } from "../../engine/recovery-choices.ts";
import {
  catchUpTask,
  diagnose,
  recover,
  type CatchUpResult,
  type Diagnosis,
  type RecoveryParts,
} from "../../engine/recovery.ts";
import { defaultTaskOptions } from "../../engine/task-options.ts";
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
    const { pipeline, sourceTopic, log } = this.#target.factory;
    await this.#cluster.connect();
    await this.#cluster.addTargetTopic(sourceTopic);
    const partitions = this.#cluster
      .findTopicPartitionMetadata(sourceTopic)
      .map(({ partitionId }) => partitionId)
      .sort((a, b) => a - b);
    return new Map(partitions.map((partition) => [taskKey(pipeline, log, partition), partition]));
  }

  /** Reads how far a task is, and what stops it. Changes nothing. */
  async diagnose(task: string, partition: number): Promise<Diagnosis> {
    return this.#with(task, partition, async (parts) => diagnose(parts, await this.#progress(task, partition)));
  }

  /** See `catchUpTask`. */
  async catchUp(task: string, partition: number): Promise<CatchUpResult> {
    return this.#with(task, partition, (parts) => catchUpTask(parts, () => this.#progress(task, partition)));
  }

  async #progress(task: string, partition: number): Promise<Progress | null> {
    if (this.#target.delivery === "transactional") return currentProgress(this.#cluster, task, partition);
    const output = this.#idempotent(partition);
    try {
      return await output.claim();
    } finally {
      await output.discard();
    }
  }

  /** Carries out a choice and gives the progress that is committed by it; null when the task has none. */
  async recover(task: string, partition: number, choice: RecoveryChoice): Promise<Progress | null> {
    if (this.#target.delivery === "transactional")
      return this.#with(task, partition, (parts) =>
        recover(parts, choice, () => this.#transactional(partition), now()),
      );
    const membership = new KafkaMembership(
      this.#target.kafka,
      this.#target.groupId,
      [this.#target.factory.sourceTopic],
      this.#target.logger,
    );
    await new Promise<void>(
      (resolve, reject) =>
        void membership
          .join({ onAssigned: () => resolve(), onRebalancing: () => undefined, onLost: reject })
          .catch(reject),
    );
    try {
      return await this.#with(task, partition, (parts) =>
        recover(parts, choice, () => this.#idempotent(partition, membership), now()),
      );
    } finally {
      await membership.leave();
    }
  }

  async close(): Promise<void> {
    await Promise.all([this.#input.close(), this.#cluster.disconnect()]);
  }

  #transactional(partition: number): TransactionalOutput {
    const { kafka } = this.#target;
    const target = outputTarget(this.#target, partition);
    return new TransactionalOutput(kafka, this.#cluster, target, defaultTaskOptions.transactionTimeoutMs);
  }

  #idempotent(partition: number, membership?: KafkaMembership): IdempotentOutput {
    return new IdempotentOutput(this.#target.kafka, outputTarget(this.#target, partition), async (...commit) =>
      membership?.commitOffset(...commit),
    );
  }

  async #with<T>(task: string, partition: number, work: (parts: RecoveryParts) => Promise<T>): Promise<T> {
    const input = this.#input.open(partition);
    try {
      return await work({
        task,
        partition,
        factory: this.#target.factory,
        ports: { input, snapshots: this.#snapshots },
        runtime: systemRuntime,
        observer: quietObserver(this.#target.logger),
      });
    } finally {
      input.close();
    }
  }
}

function now(): string {
  return new Date().toISOString();
}
