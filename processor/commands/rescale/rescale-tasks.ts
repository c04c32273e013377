import { Partitioners, type Admin, type Cluster, type Kafka } from "kafkajs";
import type { Logger } from "../../../adapters/log.ts";
import { MillraceError } from "../../../domain/errors.ts";
import { taskKey, transactionalId } from "../../../domain/names.ts";
import type { Semantics } from "../../../domain/semantics.ts";
import { topics } from "../../../domain/topics.ts";
import { openCluster, partitionBounds } from "../../adapters/kafka-cluster.ts";
import { TransactionalOutput } from "../../adapters/kafka-output.ts";
import { toProgressRecord } from "../../adapters/kafka-progress.ts";
import { fetchRecords } from "../../adapters/kafka-records.ts";
import { systemRuntime } from "../../adapters/runtime.ts";
import type { Progress, SnapshotStore } from "../../engine/ports.ts";
import { quietObserver } from "../../engine/quiet-observer.ts";
import { Snapshots } from "../../engine/snapshots.ts";
import type { MachineFactory, StateEntry, StateMachine } from "../../runtime/machine.ts";
import { repartition } from "../../runtime/repartition.ts";

/** Chain of a task that has given nothing yet. */
const EMPTY_CHAIN = "0-00000000";
const LEADER_LIMIT_MS = 60_000;
const LEADER_RETRY_MS = 100;

export interface RescaleTarget {
  readonly kafka: Kafka;
  readonly snapshots: SnapshotStore;
  readonly environment: string;
  readonly groupId: string;
  readonly factory: MachineFactory;
  readonly limits: Pick<Semantics, "watermark" | "allowedLatenessMs">;
  /**
   * Topics that have the input's number of partitions: what the pipeline writes to. `millrace-progress` needs not be
   * named.
   */
  readonly outputTopics: readonly string[];
  readonly logger: Logger;
  /** Hears of each step that is done. */
  told(sentence: string): void;
}

/** A task that is fenced and whose manifest is claimed. */
interface Held {
  readonly task: string;
  readonly partition: number;
  readonly output: TransactionalOutput;
  readonly snapshots: Snapshots;
  /** Null for a task that has processed nothing yet. */
  readonly progress: Progress | null;
  readonly nextOffset: number;
}

/**
 * Raises the number of partitions of a pipeline's input to `count` and moves each key's state to the partition that
 * Kafka's partitioner now gives it. Before step 5 the platform can go on as it was; broken off at any point, it is run
 * again.
 *
 * 1. Nobody works: the group is empty, and every task is fenced and its snapshot claimed, so that whoever wakes up can
 *    commit nothing.
 * 2. Everything is processed, committed and in the snapshot: S = C = end of the log.
 * 3. The state of all tasks is distributed anew, and a machine is built of each part, as the processor will.
 * 4. Partitions of the outputs and of `millrace-progress`; then snapshots and progress of the new tasks.
 * 5. Partitions of the input.
 * 6. Snapshots of the tasks that there were, without the keys that have left.
 *
 * @throws MillraceError `rescale-refused`; whatever the ports throw
 */
export async function rescale(target: RescaleTarget, count: number): Promise<{ before: number; keys: number }> {
  const { kafka, factory } = target;
  const admin = kafka.admin();
  const held: Held[] = [];
  const clusters = [openCluster(kafka)];
  try {
    await admin.connect();
    const before = await partitionCount(admin, factory.sourceTopic);
    if (count < before)
      throw refused(
        `${factory.sourceTopic} has ${before} partitions; Kafka takes none away, so at least ${before} are expected, received was ${count}`,
      );
    // 1. Nobody works.
    await checkGroupEmpty(admin, target.groupId);
    for (let partition = 0; partition < before; partition++)
      held.push(
        await hold(
          target,
          clusters[0]!,
          partition,
          (await partitionBounds(clusters[0]!, factory.sourceTopic, partition)).latest,
        ),
      );
    target.told(`${before} tasks fenced, their snapshots claimed`);
    // 2. Everything is processed.
    const problems = (
      await Promise.all(held.map((task) => unfinished(clusters[0]!, factory.sourceTopic, task)))
    ).flat();
    if (problems.length > 0)
      throw refused(
        `${problems.join("\n")}\nStop the bridge, let the processor run until its lag is 0, stop it by SIGTERM (it then writes a last snapshot), and try again.`,
      );
    // 3. The state, distributed anew.
    const states = await Promise.all(
      held.map(async ({ task, partition, snapshots }) => ({ task, partition, entries: await snapshots.load() })),
    );
    const distributed = repartition(states, count, keyPartitioner(factory.sourceTopic, count), target.limits);
    if (distributed === null)
      throw refused(
        `no task of ${factory.sourceTopic} has any state yet: create the topics with ${count} partitions instead`,
      );
    const build = async (task: Held, entries: readonly StateEntry[]): Promise<StateMachine> => {
      const restored = {
        nextOffset: task.nextOffset,
        chain: task.progress?.chain ?? EMPTY_CHAIN,
        entries: entries.map((entry) => ({ generation: 0, ...entry })),
      };
      const machine = await factory.create({ partition: task.partition, restored, failedOffsets: new Map() });
      machine.rewriteUpTo(0);
      return machine;
    };
    const machines = await Promise.all(held.map((task, i) => build(task, distributed[i]!)));
    target.told("state loaded and distributed");
    // 4. Partitions of the outputs; the new tasks.
    await createPartitions(admin, [...target.outputTopics, topics.progress.name], count);
    clusters.push(openCluster(kafka));
    for (let partition = before; partition < count; partition++) {
      const task = await hold(target, clusters[1]!, partition, 0);
      held.push(task);
      machines.push(await build(task, distributed[partition]!));
    }
    const write = async (task: Held, machine: StateMachine): Promise<void> => {
      const progress: Progress = task.progress ?? {
        nextOffset: task.nextOffset,
        origin: task.nextOffset,
        fingerprint: factory.fingerprint,
        chain: EMPTY_CHAIN,
        failed: [],
      };
      await task.snapshots.write(task.snapshots.capture(machine), progress);
      if (task.progress === null) await commitProgress(task, progress);
    };
    for (let i = before; i < count; i++) await write(held[i]!, machines[i]!);
    target.told(`${count - before} new tasks have their state`);
    // 5. Partitions of the input.
    await createPartitions(admin, [factory.sourceTopic], count);
    target.told(`${factory.sourceTopic} has ${count} partitions`);
    // 6. The tasks that there were.
    for (let i = 0; i < before; i++) await write(held[i]!, machines[i]!);
    return { before, keys: distributed.flat().filter(({ key }) => key.startsWith("key/")).length };
  } finally {
    for (const { snapshots } of held) snapshots.close();
    await Promise.allSettled([
      ...held.map(({ output }) => output.discard()),
      ...clusters.map((cluster) => cluster.disconnect()),
      admin.disconnect(),
    ]);
  }
}

function refused(message: string): MillraceError {
  return new MillraceError("rescale-refused", message);
}

async function partitionCount(admin: Admin, topic: string): Promise<number> {
  return (await admin.fetchTopicMetadata({ topics: [topic] })).topics[0]!.partitions.length;
}

async function checkGroupEmpty(admin: Admin, groupId: string): Promise<void> {
  const group = (await admin.describeGroups([groupId])).groups[0];
  if (group && group.members.length > 0)
    throw refused(
      `the group ${groupId} has ${group.members.length} members (${group.members.map(({ clientId, clientHost }) => `${clientId} at ${clientHost}`).join(", ")}): stop all processors first`,
    );
}

/** Steps 1 to 3 of a task's life; `firstOffset` is where a task begins that has processed nothing yet. */
async function hold(
  { kafka, environment, groupId, factory, snapshots, logger }: RescaleTarget,
  cluster: Cluster,
  partition: number,
  firstOffset: number,
): Promise<Held> {
  const { pipeline, sourceTopic } = factory;
  const task = taskKey(pipeline, sourceTopic, partition);
  const output = new TransactionalOutput(kafka, cluster, {
    task,
    transactionalId: transactionalId(environment, pipeline, sourceTopic, partition),
    groupId,
    sourceTopic,
    partition,
  });
  try {
    await output.fence();
    const progress = await output.claim(systemRuntime.token());
    const claimed = await Snapshots.claim(snapshots, task, systemRuntime, quietObserver(logger));
    return { task, partition, output, progress, snapshots: claimed, nextOffset: progress?.nextOffset ?? firstOffset };
  } catch (error) {
    await output.discard();
    throw error;
  }
}

/** What keeps a task's state from being all there is to know, as sentences. */
async function unfinished(
  cluster: Cluster,
  topic: string,
  { task, partition, progress, snapshots }: Held,
): Promise<string[]> {
  const covers = snapshots.manifest.covers;
  const { earliest, latest } = await partitionBounds(cluster, topic, partition);
  const from = progress?.nextOffset ?? earliest;
  let waiting = 0;
  // Markers of transactions take offsets, too: what counts is whether a record comes.
  for (let offset = from; offset < latest && waiting === 0;) {
    const { records, nextOffset } = await fetchRecords(cluster, topic, partition, offset);
    waiting = records.length;
    offset = nextOffset;
  }
  return [
    ...(waiting > 0 ? [`${task}: records from offset ${from} on (the log ends at ${latest}) are not processed`] : []),
    ...(progress && covers?.nextOffset !== progress.nextOffset
      ? [
          `${task}: the snapshot covers ${covers ? `offsets below ${covers.nextOffset}` : "nothing"}, committed are those below ${progress.nextOffset}`,
        ]
      : []),
    ...(covers && covers.chain !== progress?.chain
      ? [
          `${task}: the snapshot's chain is ${covers.chain}, committed is ${progress?.chain ?? "nothing"}; see \`npm run recover -- --task ${task}\``,
        ]
      : []),
  ];
}

/** Kafka's partitioner (murmur2), as producers have it. */
function keyPartitioner(topic: string, count: number): (key: string) => number {
  const partitioner = Partitioners.DefaultPartitioner();
  const partitionMetadata = Array.from({ length: count }, (_, partitionId) => ({
    partitionErrorCode: 0,
    partitionId,
    leader: 0,
    replicas: [],
    isr: [],
  }));
  return (key) => partitioner({ topic, partitionMetadata, message: { key, value: null } });
}

/** Makes sure of at least `count` partitions that have a leader. */
async function createPartitions(admin: Admin, names: readonly string[], count: number): Promise<void> {
  const fewer = (await admin.fetchTopicMetadata({ topics: [...names] })).topics.filter(
    ({ partitions }) => partitions.length < count,
  );
  if (fewer.length > 0)
    await admin.createPartitions({ topicPartitions: fewer.map(({ name }) => ({ topic: name, count })) });
  const deadline = systemRuntime.now() + LEADER_LIMIT_MS;
  for (;;) {
    const { topics: found } = await admin.fetchTopicMetadata({ topics: [...names] });
    const missing = found.filter(({ partitions }) => partitions.filter(({ leader }) => leader >= 0).length < count);
    if (missing.length === 0 && (await areLed(admin, names))) return;
    if (systemRuntime.now() > deadline)
      throw new Error(
        `after ${LEADER_LIMIT_MS} ms there are not ${count} partitions with a leader of ${missing.map(({ name }) => name).join(", ")}`,
      );
    await systemRuntime.sleep(LEADER_RETRY_MS);
  }
}

/** The metadata name a leader a moment before that broker knows of it; until then it refuses every request. */
async function areLed(admin: Admin, names: readonly string[]): Promise<boolean> {
  try {
    for (const name of names) await admin.fetchTopicOffsets(name);
    return true;
  } catch (error) {
    if ((error as { retriable?: boolean }).retriable !== true) throw error;
    return false;
  }
}

/**
 * Progress without the group's offset: the input's partition need not be there yet. The claim commits it, and shows
 * that it is there.
 */
async function commitProgress({ task, output }: Held, progress: Progress): Promise<void> {
  await output.send([toProgressRecord(task, progress)]);
  const found = await output.claim(systemRuntime.token());
  if (found?.nextOffset !== progress.nextOffset)
    throw new Error(
      `${task}: progress at offset ${progress.nextOffset} was written, read was ${found?.nextOffset ?? "none"}`,
    );
}
