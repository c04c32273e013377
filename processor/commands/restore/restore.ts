import type { Cluster, Producer } from "kafkajs";
import { withIdempotentProducer } from "../../../adapters/control-records.ts";
import { openCluster, partitionBounds } from "../../../adapters/kafka-cluster.ts";
import { keyPartitioner } from "../../../adapters/key-partitioner.ts";
import { CHANGE_HEADER, CONTINUES_HEADER } from "../../../domain/controls.ts";
import { MillraceError } from "../../../domain/errors.ts";
import type { EpochMs } from "../../../domain/time.ts";
import { controlTypes, headers as headerNames } from "../../../domain/topics.ts";
import { inBatches } from "../../adapters/output-sends.ts";
import type { KnownRecord, MachineFactory, OutputRecord } from "../../runtime/machine.ts";
import { KEYED_PREFIX } from "../../runtime/partition-state.ts";
import { type LakeState, replayLake } from "../replay/replay-lake.ts";
import { isRescale } from "../rescale/change.ts";
import { membersOfGroup } from "../rescale/group-members.ts";
import { HeldTask, type HoldTarget } from "../rescale/held-task.ts";
import { partitionCount } from "../rescale/topic-partitions.ts";

/** What is restored, and into which log. */
export interface RestoreTarget extends Omit<HoldTarget, "factory" | "command"> {
  /** Folder of the lake. */
  readonly dir: string;
  /** Generation of the new log, at least 2. */
  readonly generation: number;
  /** The pipeline, as it runs a generation of its log. */
  readonly open: (generation: number) => MachineFactory;
  /** Topics whose outputs are written again. */
  readonly topics: ReadonlySet<string>;
  /** Outputs of records before this time are not written again. */
  readonly outputsFrom: EpochMs;
  /** Called with a sentence about each step that is done, and about what the lake lacks. */
  readonly report: (sentence: string) => void;
}

/** What a restore has done. */
export interface Restored {
  readonly log: string;
  /** The log that it continues: the newest one of which the lake has records. */
  readonly before: string;
  readonly records: number;
  readonly outputs: number;
  readonly keys: number;
}

/**
 * Rebuilds from the lake what was lost with Kafka and the stores, and lets a new log continue the lost one:
 *
 * 1. Nobody works: the group is empty, every task of the new log is held and fenced, and has processed nothing.
 * 2. The lost log is replayed from the lake. Its outputs are written to their topics, with the ids that they had: the
 *    stores fill themselves from them.
 * 3. The state behind the lost log's last record becomes the snapshot of the new log's tasks.
 * 4. A tick in each partition names the log that is continued, so that a replay of the new one begins with that state.
 *
 * One that breaks off is run again: outputs then come again, with ids already seen. Until then its holds stay, and
 * processors that start wait.
 *
 * @throws MillraceError `restore-refused`; `arguments-invalid` when there is no such lake; whatever the ports throw
 */
export async function restore(target: RestoreTarget): Promise<Restored> {
  const factory = target.open(target.generation);
  if (target.generation < 2)
    throw refused(
      "LOG_GENERATION is 1. A log that was lost is never continued under its name: " +
        "give the new log's generation, one higher than the lost one's",
    );
  const cluster = openCluster(target.kafka);
  const held: HeldTask[] = [];
  let isRestored = false;
  try {
    await holdTasks(target, factory, cluster, held); // 1
    const result = await withIdempotentProducer(target.kafka, async (producer) => {
      const { lake, ...counts } = await replayLost(target, held.length, producer); // 2
      const keys = await writeStates(lake, factory.sourceTopic, held); // 3
      target.report(`the state of ${keys} keys is in place`);
      for (const { partition } of held) await appendContinues(producer, factory.sourceTopic, partition, lake.log); // 4
      return { log: factory.log, before: lake.log, ...counts, keys };
    });
    isRestored = true;
    return result;
  } finally {
    await close(held, cluster, !isRestored);
  }
}

async function close(held: readonly HeldTask[], cluster: Cluster, keepHolds: boolean): Promise<void> {
  const released = await Promise.allSettled(held.map((task) => task.release(keepHolds)));
  await cluster.disconnect();
  const failed = released.find((end) => end.status === "rejected");
  if (failed) throw failed.reason as Error;
}

/** Step 1. */
async function holdTasks(
  target: RestoreTarget,
  factory: MachineFactory,
  cluster: Cluster,
  held: HeldTask[],
): Promise<void> {
  const admin = target.kafka.admin();
  await admin.connect();
  try {
    const members = await membersOfGroup(admin, target.groupId);
    if (members !== null) throw refused(members);
    const count = await partitionCount(admin, factory.sourceTopic);
    for (let partition = 0; partition < count; partition++) {
      const { earliest } = await partitionBounds(cluster, factory.sourceTopic, partition);
      const task = await HeldTask.hold({ ...target, factory, command: "restore" }, cluster, partition, earliest);
      held.push(task);
      if (task.nextOffset !== earliest)
        throw refused(
          `${task.task} has processed the log from ${earliest} to ${task.nextOffset} already: create the topic anew, ` +
            "take the next LOG_GENERATION, and restore before any processor is started",
        );
    }
  } finally {
    await admin.disconnect();
  }
}

/** Step 2. */
async function replayLost(
  { dir, open, generation, topics, outputsFrom, report }: RestoreTarget,
  partitions: number,
  producer: Producer,
): Promise<{ readonly lake: LakeState; readonly records: number; readonly outputs: number }> {
  let records = 0;
  let outputs = 0;
  const seenAt = new Map<number, EpochMs>();
  const see = ({ partition, offset, timestamp, headers }: KnownRecord): void => {
    if (partition >= partitions)
      throw refused(
        `the lake has partition ${partition}, and the new topics have ${partitions} partitions: create them with as ` +
          "many as the lost ones had",
      );
    if (isRescale(headers[CHANGE_HEADER] ?? ""))
      throw refused(
        `the lake's log was rescaled at partition ${partition}, offset ${offset}: a replay across that begins the ` +
          "state of moved keys anew, and is not exact (docs/rescale.md)",
      );
    records++;
    seenAt.set(partition, timestamp);
  };
  // Outputs come at most a batch of records behind their own: what is left out is older for certain.
  const take = async (taken: readonly OutputRecord[], partition: number): Promise<void> => {
    if (seenAt.get(partition)! < outputsFrom) return;
    const wanted = taken.filter(({ topic }) => topics.has(topic));
    for (const batch of inBatches(wanted, partition))
      // One request per partition: see `appendChange`.
      for (const { topic, messages } of batch) await producer.send({ topic, acks: -1, messages });
    outputs += wanted.length;
  };
  const lake = await replayLake({ dir, open, first: 1, last: generation - 1, take, see, warn: report });
  if (lake === null) throw refused(`the lake has no record of a log before ${open(generation).log}`);
  report(`${records} records of the lake replayed, ${outputs} outputs written`);
  return { lake, records, outputs };
}

/** Step 3. Gives the number of keys that have state. */
async function writeStates({ log, states }: LakeState, topic: string, held: readonly HeldTask[]): Promise<number> {
  const partitionOf = keyPartitioner(topic, held.length);
  const keys = [...states].flatMap(([partition, entries]) =>
    entries.flatMap(({ key }) => {
      if (!key.startsWith(KEYED_PREFIX)) return [];
      const own = key.slice(KEYED_PREFIX.length);
      if (partitionOf(own) === partition) return [own];
      throw refused(
        `${JSON.stringify(own)} has its state in partition ${partition} of ${log}, and its records would go to ` +
          `${partitionOf(own)}: create the new topics with as many partitions as the lost ones had`,
      );
    }),
  );
  for (const task of held) {
    const entries = states.get(task.partition);
    if (entries) await task.write(await task.build(entries));
  }
  return keys.length;
}

/** Step 4. */
async function appendContinues(producer: Producer, topic: string, partition: number, log: string): Promise<void> {
  const headers = { [headerNames.type]: controlTypes.tick, [CONTINUES_HEADER]: log };
  await producer.send({ topic, acks: -1, messages: [{ partition, key: null, value: null, headers }] });
}

function refused(message: string): MillraceError {
  return new MillraceError("restore-refused", message);
}
