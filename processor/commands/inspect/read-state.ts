import type { Cluster } from "kafkajs";
import { partitionBounds } from "../../../adapters/kafka-cluster.ts";
import type { Logger } from "../../../adapters/log.ts";
import { committedRecords } from "../../../adapters/read-partition.ts";
import { taskKey } from "../../../domain/names.ts";
import type { EpochMs } from "../../../domain/time.ts";
import { currentProgress } from "../../adapters/kafka-progress.ts";
import { systemRuntime } from "../../adapters/runtime.ts";
import type { LogBounds, Manifest, Progress, SnapshotStore } from "../../engine/ports.ts";
import { quietObserver } from "../../engine/quiet-observer.ts";
import { Snapshots } from "../../engine/snapshots.ts";
import { startingPoint } from "../../engine/starting-point.ts";
import { stepSome } from "../../engine/step-some.ts";
import type { KeyFacts, PartitionFacts } from "../../runtime/facts.ts";
import {
  failureId,
  type MachineFactory,
  type MachineOrigin,
  type OutputRecord,
  StepFailed,
} from "../../runtime/machine.ts";
import type { PartitionMachine } from "../../runtime/partition-machine.ts";

/** Records behind the snapshot that are stepped, at most. */
const MAX_RECORDS = 500_000;
/** Attempts at reading a snapshot that its task replaces at the same time. */
const READ_ATTEMPTS = 5;

/** Whose state is read, and where it is. */
export interface StateSource {
  readonly cluster: Cluster;
  readonly snapshots: SnapshotStore;
  readonly factory: MachineFactory;
  readonly partition: number;
  readonly logger: Logger;
}

/** The newest snapshot of a task. */
export interface SnapshotFacts {
  /** Counts the snapshots of the task. */
  readonly generation: number;
  /** It covers the offsets below. */
  readonly nextOffset: number;
  /** The partition clock in it; -Infinity before the first record. */
  readonly clock: EpochMs;
}

/** The state of a task at the end of its log, and what of a key. */
export interface TaskState {
  readonly task: string;
  readonly partition: number;
  /** Null: the task has written none, so that everything was stepped from its beginning. */
  readonly snapshot: SnapshotFacts | null;
  readonly log: LogBounds;
  /** The task has committed the offsets below; null for one that has committed nothing. */
  readonly committed: number | null;
  /** The state is that behind the records below this offset. */
  readonly reached: number;
  /** Records behind the snapshot that were stepped. */
  readonly stepped: number;
  readonly facts: PartitionFacts;
  /** Null: the key is not known (any more). */
  readonly key: KeyFacts | null;
  /** What the key's records behind the snapshot gave. */
  readonly outputs: readonly OutputRecord[];
}

/**
 * Reads a task's newest snapshot and steps the log behind it, up to the end that it has now, with outputs dropped but
 * for those of the key. Disturbs nobody: it claims, fences and writes nothing. Models are not needed: nothing of what
 * is shown depends on scores.
 *
 * @throws MillraceError what would stop the task, such as `input-lost`; what reading throws
 */
export async function readState(source: StateSource, key: string): Promise<TaskState> {
  const { cluster, snapshots, factory, partition, logger } = source;
  const task = taskKey(factory.pipeline, factory.log, partition);
  for (let attempt = 1; ; attempt++) {
    const manifest = await snapshots.readManifest(task);
    // Behind the manifest: it covers no more than this.
    const progress = await currentProgress(cluster, task, partition);
    const log = await partitionBounds(cluster, factory.sourceTopic, partition);
    try {
      const entries = manifest?.covers
        ? await Snapshots.of(snapshots, task, systemRuntime, quietObserver(logger), manifest).load()
        : null;
      return await fold(source, task, key, { manifest, progress, log, entries });
    } catch (error) {
      const isReplaced = (await snapshots.readManifest(task))?.version !== manifest?.version;
      if (!isReplaced || attempt === READ_ATTEMPTS) throw error;
    }
  }
}

interface Beginning {
  readonly manifest: Manifest | null;
  readonly progress: Progress | null;
  readonly log: LogBounds;
  readonly entries: NonNullable<MachineOrigin["restored"]>["entries"] | null;
}

/** Steps the log from the snapshot on. Begins again after each record on which the pipeline's code throws. */
async function fold(
  { cluster, factory, partition }: StateSource,
  task: string,
  key: string,
  { manifest, progress, log, entries }: Beginning,
): Promise<TaskState> {
  const { from, before } = startingPoint(task, progress, manifest, log);
  const failures = new Map((progress?.failed ?? []).map((failure) => [failureId(failure), failure]));
  const restored = entries && { nextOffset: from, chain: manifest!.covers!.chain, entries };
  for (;;) {
    const refused: NonNullable<MachineOrigin["refused"]> = (failure) => void failures.set(failureId(failure), failure);
    const machine = (await factory.create({ partition, restored, failures, before, refused })) as PartitionMachine;
    const snapshot = restored && {
      generation: manifest!.segments.at(-1)?.generation ?? 0,
      nextOffset: from,
      clock: machine.facts.clock,
    };
    try {
      const stepped = await stepLog(cluster, factory.sourceTopic, partition, machine, { from, to: log.latest }, key);
      return {
        task,
        partition,
        snapshot,
        log,
        committed: progress?.nextOffset ?? null,
        ...stepped,
        facts: machine.facts,
        key: machine.factsOf(key),
      };
    } catch (error) {
      if (!(error instanceof StepFailed) || failures.has(failureId(error))) throw error;
      const { offset, key: failedKey, message } = error;
      failures.set(failureId(error), { offset, key: failedKey, message });
    }
  }
}

/** @throws StepFailed, MillraceError, see `stepSome`; what reading throws */
async function stepLog(
  cluster: Cluster,
  topic: string,
  partition: number,
  machine: PartitionMachine,
  range: { readonly from: number; readonly to: number },
  key: string,
): Promise<Pick<TaskState, "reached" | "stepped" | "outputs">> {
  const outputs: OutputRecord[] = [];
  let stepped = 0;
  for await (const records of committedRecords(cluster, topic, partition, range))
    for (let left = records; left.length > 0;) {
      if (stepped >= MAX_RECORDS) return { reached: machine.nextOffset, stepped, outputs };
      const done = await stepSome(machine, left, () => false);
      for (const output of done.outputs) if (isOf(output, key)) outputs.push(output);
      stepped += done.stepped;
      left = left.slice(done.stepped);
    }
  return { reached: range.to, stepped, outputs };
}

function isOf({ key }: OutputRecord, wanted: string): boolean {
  return key !== null && (typeof key === "string" ? key : Buffer.from(key).toString("utf8")) === wanted;
}
