import type { Cluster } from "kafkajs";
import { partitionBounds } from "../../../adapters/kafka-cluster.ts";
import { fetchRecords } from "../../../adapters/kafka-records.ts";
import { CHANGE_HEADER, controlVersions } from "../../../domain/controls.ts";
import { controlTypes, headers as headerNames } from "../../../domain/topics.ts";
import { TransactionalOutput } from "../../adapters/kafka-output.ts";
import { toProgressRecord } from "../../adapters/kafka-progress.ts";
import { outputTarget } from "../../adapters/output-target.ts";
import { systemRuntime } from "../../adapters/runtime.ts";
import { commandToken, type Progress, type TaskOutput } from "../../engine/ports.ts";
import { quietObserver } from "../../engine/quiet-observer.ts";
import { holdTask } from "../../engine/recovery.ts";
import { Snapshots } from "../../engine/snapshots.ts";
import { beforeOf } from "../../engine/starting-point.ts";
import { defaultTaskOptions } from "../../engine/task-options.ts";
import {
  EMPTY_CHAIN,
  type InputRecord,
  type MachineFactory,
  type StateEntry,
  type StateMachine,
} from "../../runtime/machine.ts";
import { isRescale } from "./change.ts";
import type { RescaleTarget } from "./target.ts";

/** Whose task it is, where its log and snapshots are, and which command holds it. */
export type HoldTarget = Pick<
  RescaleTarget,
  "kafka" | "environment" | "groupId" | "factory" | "snapshots" | "logger"
> & { readonly command: string };

/** A task that is held and fenced, its snapshot claimed: nobody else can commit for it. Release it after use. */
export class HeldTask {
  readonly task: string;
  readonly partition: number;
  readonly snapshots: Snapshots;
  readonly #factory: MachineFactory;
  readonly #command: string;
  readonly #output: TaskOutput;
  /** Null for a task that has processed nothing yet. */
  readonly #progress: Progress | null;
  /** Offset of the record that the task processes next. */
  readonly nextOffset: number;

  private constructor(
    { factory, command }: HoldTarget,
    { task, partition }: { readonly task: string; readonly partition: number },
    output: TaskOutput,
    snapshots: Snapshots,
    progress: Progress | null,
    firstOffset: number,
  ) {
    this.task = task;
    this.partition = partition;
    this.snapshots = snapshots;
    this.#factory = factory;
    this.#command = command;
    this.#output = output;
    this.#progress = progress;
    this.nextOffset = progress?.nextOffset ?? firstOffset;
  }

  /**
   * Holds and fences the task of a partition, and claims its progress and its snapshot.
   *
   * @param firstOffset Where a task begins that has processed nothing yet.
   */
  static async hold(
    holdTarget: HoldTarget,
    cluster: Cluster,
    partition: number,
    firstOffset: number,
  ): Promise<HeldTask> {
    const { kafka, environment, groupId, factory, snapshots, logger, command } = holdTarget;
    const target = outputTarget({ environment, groupId, factory }, partition);
    const { task } = target;
    const open = (): TaskOutput =>
      new TransactionalOutput(kafka, cluster, target, defaultTaskOptions.transactionTimeoutMs);
    const { output, committed: progress } = await holdTask(
      { command, since: new Date().toISOString() },
      open,
      systemRuntime,
    );
    try {
      const claimed = await Snapshots.claim(snapshots, task, systemRuntime, quietObserver(logger));
      return new HeldTask(holdTarget, { task, partition }, output, claimed, progress, firstOffset);
    } catch (error) {
      await output.discard();
      throw error;
    }
  }

  /** Why the snapshot is not the whole state of the log, as sentences. */
  async unfinished(cluster: Cluster): Promise<string[]> {
    const { task } = this;
    const committed = this.#progress;
    const covers = this.snapshots.manifest.covers;
    const problems = await this.#unprocessed(cluster);
    if (committed && covers?.nextOffset !== committed.nextOffset) {
      const covered = covers ? `offsets below ${covers.nextOffset}` : "nothing";
      problems.push(`${task}: the snapshot covers ${covered}, committed are those below ${committed.nextOffset}`);
    }
    if (covers && covers.chain !== committed?.chain)
      problems.push(
        `${task}: the snapshot's chain is ${covers.chain}, committed is ${committed?.chain ?? "nothing"}; ` +
          `see \`npm run recover -- --task ${task}\``,
      );
    return problems;
  }

  /**
   * Markers of transactions take offsets too, so what counts is whether a record follows. The first record that a
   * rescale gives a new partition changes nothing: the state has its settings.
   */
  async #unprocessed(cluster: Cluster): Promise<string[]> {
    const topic = this.#factory.sourceTopic;
    const { earliest, latest } = await partitionBounds(cluster, topic, this.partition);
    const from = this.#progress?.nextOffset ?? earliest;
    for (let offset = from; offset < latest;) {
      const { records, nextOffset } = await fetchRecords(cluster, topic, this.partition, offset);
      if (!records.every(isFirstOfRescale))
        return [`${this.task}: records from offset ${from} on (the log ends at ${latest}) are not processed`];
      offset = nextOffset;
    }
    return [];
  }

  /** A machine with this state, as the processor will build it. */
  async build(entries: readonly StateEntry[]): Promise<StateMachine> {
    const restored = {
      nextOffset: this.nextOffset,
      chain: this.#progress?.chain ?? EMPTY_CHAIN,
      entries: entries.map((entry) => ({ generation: 0, ...entry })),
    };
    const machine = await this.#factory.create({
      partition: this.partition,
      restored,
      failures: new Map(),
      before: beforeOf(this.#progress),
    });
    machine.rewriteUpTo(0);
    return machine;
  }

  /** Writes a machine's state as the task's snapshot, and the progress of a task that has none. */
  async write(machine: StateMachine): Promise<void> {
    const progress: Progress = this.#progress ?? {
      nextOffset: this.nextOffset,
      origin: this.nextOffset,
      fingerprint: this.#factory.fingerprint,
      version: this.#factory.version,
      chain: EMPTY_CHAIN,
      controls: controlVersions,
      failed: [],
    };
    await this.snapshots.write(this.snapshots.capture(machine), progress);
    if (this.#progress === null) await this.#commit(progress);
  }

  /**
   * Commits progress without the group's offset, because the input's partition may not be there yet. The claim after it
   * commits the record and shows that it is there.
   */
  async #commit(progress: Progress): Promise<void> {
    await this.#output.send([toProgressRecord(this.task, progress, commandToken(this.#command))]);
    const found = await this.#output.claim(commandToken(systemRuntime.token()));
    if (found?.nextOffset !== progress.nextOffset)
      throw new Error(
        `${this.task}: progress at offset ${progress.nextOffset} was written, read was ${found?.nextOffset ?? "none"}`,
      );
  }

  /** @param keepHold Whether processors must wait until the command is given again. */
  async release(keepHold: boolean): Promise<void> {
    this.snapshots.giveUp();
    if (!keepHold) await this.#output.hold(null);
    await this.#output.discard();
  }
}

/** Whether a record is the first one that a rescale gave a partition; one that broke off has given it before. */
function isFirstOfRescale({ headers }: InputRecord): boolean {
  return headers[headerNames.type] === controlTypes.settings && isRescale(headers[CHANGE_HEADER] ?? "");
}
