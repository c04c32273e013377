import type { Admin, Cluster } from "kafkajs";
import { appendChange, withIdempotentProducer } from "../../../adapters/control-records.ts";
import { openCluster, partitionBounds } from "../../../adapters/kafka-cluster.ts";
import { keyPartitioner } from "../../../adapters/key-partitioner.ts";
import { settingsHeader } from "../../../domain/controls.ts";
import type { Semantics } from "../../../domain/semantics.ts";
import { controlTypes, topics } from "../../../domain/topics.ts";
import type { StateEntry, StateMachine } from "../../runtime/machine.ts";
import { repartition } from "../../runtime/repartition.ts";
import { rescaleChange } from "./change.ts";
import { membersOfGroup } from "./group-members.ts";
import { HeldTask } from "./held-task.ts";
import { refused } from "./refused.ts";
import type { RescaleTarget } from "./target.ts";
import { createPartitions, partitionCount } from "./topic-partitions.ts";

/** A rescale under way. */
interface Rescaling {
  readonly target: RescaleTarget;
  readonly admin: Admin;
  /** Partitions that there will be. */
  readonly count: number;
  /** Tasks by partition; released at the end. */
  readonly held: HeldTask[];
  /** Disconnected at the end. */
  readonly clusters: Cluster[];
  /** Whether state is being moved: processors that start now must wait until a rescale has ended. */
  moving: boolean;
}

/**
 * Raises the number of partitions of a pipeline's input to `count`, and moves each key's state to the partition that
 * Kafka's partitioner now gives it. Before step 4 the platform can continue as it was. A rescale that breaks off at any
 * point is run again. From step 4 on its holds stay until then: processors that start meanwhile wait.
 *
 * 1. Nobody works: the group is empty, every task is held and fenced, and its snapshot claimed. Nobody else can commit.
 * 2. Everything is processed: each snapshot covers what was committed, and no record follows.
 * 3. The state of all tasks is distributed, and a machine is built of each part, as the processor will build it.
 * 4. The outputs and `millrace-progress` get their partitions, then the new tasks their snapshot and progress.
 * 5. The input gets its partitions. The first record of each has the settings in force.
 * 6. The old tasks get a snapshot without the keys that have left.
 *
 * @returns The partitions before, and the keys that have state.
 * @throws MillraceError `rescale-refused`; whatever the ports throw
 */
export async function rescale(target: RescaleTarget, count: number): Promise<{ before: number; keys: number }> {
  const rescaling: Rescaling = { target, admin: target.kafka.admin(), count, held: [], clusters: [], moving: false };
  try {
    await rescaling.admin.connect();
    const before = await partitionsBefore(rescaling);
    await holdTasks(rescaling, before); // 1
    await checkProcessed(rescaling); // 2
    const { states, settings } = await distributeState(rescaling); // 3
    const machines = await buildMachines(rescaling.held, states);
    rescaling.moving = true;
    await writeNewTasks(rescaling, before, states); // 4
    await raiseInput(rescaling, before, settings); // 5
    await writeOldTasks(rescaling, machines); // 6
    rescaling.moving = false;
    return { before, keys: states.flat().filter(({ key }) => key.startsWith("key/")).length };
  } finally {
    await close(rescaling);
  }
}

async function partitionsBefore({ admin, target, count }: Rescaling): Promise<number> {
  const topic = target.factory.sourceTopic;
  const before = await partitionCount(admin, topic);
  if (count < before)
    throw refused(
      `${topic} has ${before} partitions; Kafka takes none away, ` +
        `so at least ${before} are expected, received was ${count}`,
    );
  return before;
}

/** Step 1. */
async function holdTasks(rescaling: Rescaling, before: number): Promise<void> {
  const { admin, target, held } = rescaling;
  const members = await membersOfGroup(admin, target.groupId);
  if (members !== null) throw refused(members);
  const cluster = connect(rescaling);
  for (let partition = 0; partition < before; partition++) {
    const { latest } = await partitionBounds(cluster, target.factory.sourceTopic, partition);
    held.push(await HeldTask.hold({ ...target, command: "rescale" }, cluster, partition, latest));
  }
  target.report(`${before} tasks fenced, their snapshots claimed`);
}

/** Step 2. */
async function checkProcessed({ held, clusters }: Rescaling): Promise<void> {
  const problems = (await Promise.all(held.map((task) => task.unfinished(clusters[0]!)))).flat();
  if (problems.length > 0)
    throw refused(
      `${problems.join("\n")}\nStop the bridge, let the processor run until its lag is 0, ` +
        "stop it by SIGTERM (it then writes a last snapshot), and try again.",
    );
}

/** Step 3: the state of each partition that there will be. */
async function distributeState({
  target,
  held,
  count,
}: Rescaling): Promise<{ states: readonly (readonly StateEntry[])[]; settings: Semantics }> {
  const topic = target.factory.sourceTopic;
  const states = await Promise.all(
    held.map(async ({ task, partition, snapshots }) => ({ task, partition, entries: await snapshots.load() })),
  );
  const distributed = repartition(states, count, keyPartitioner(topic, count));
  if (distributed === null)
    throw refused(`no task of ${topic} has any state yet: create the topics with ${count} partitions instead`);
  target.report("state loaded and distributed");
  return distributed;
}

function buildMachines(
  tasks: readonly HeldTask[],
  states: readonly (readonly StateEntry[])[],
): Promise<StateMachine[]> {
  return Promise.all(tasks.map((task) => task.build(states[task.partition]!)));
}

/** Step 4. */
async function writeNewTasks(
  rescaling: Rescaling,
  before: number,
  states: readonly (readonly StateEntry[])[],
): Promise<void> {
  const { target, admin, count, held } = rescaling;
  await createPartitions(admin, [...target.outputTopics, topics.progress.name], count);
  // A cluster of its own, because the first one's metadata does not know the new partitions.
  const cluster = connect(rescaling);
  for (let partition = before; partition < count; partition++)
    held.push(await HeldTask.hold({ ...target, command: "rescale" }, cluster, partition, 0));
  const added = held.slice(before);
  const machines = await buildMachines(added, states);
  for (const [i, task] of added.entries()) await task.write(machines[i]!);
  target.report(`${added.length} new tasks have their state`);
}

/** Step 5. */
async function raiseInput({ target, admin, count }: Rescaling, before: number, settings: Semantics): Promise<void> {
  const topic = target.factory.sourceTopic;
  await createPartitions(admin, [topic], count);
  const added = Array.from({ length: count - before }, (_, i) => before + i);
  const change = { topic, type: controlTypes.settings, value: settingsHeader(settings) };
  const id = rescaleChange(before, count);
  await withIdempotentProducer(target.kafka, (producer) => appendChange(producer, added, change, id));
  target.report(`${topic} has ${count} partitions`);
}

/** Step 6. */
async function writeOldTasks({ held }: Rescaling, machines: readonly StateMachine[]): Promise<void> {
  for (const [i, machine] of machines.entries()) await held[i]!.write(machine);
}

function connect({ target, clusters }: Rescaling): Cluster {
  const cluster = openCluster(target.kafka);
  clusters.push(cluster);
  return cluster;
}

async function close({ held, clusters, admin, moving }: Rescaling): Promise<void> {
  const released = await Promise.allSettled(held.map((task) => task.release(moving)));
  await Promise.allSettled([...clusters.map((cluster) => cluster.disconnect()), admin.disconnect()]);
  for (const { status, ...end } of released)
    if (status === "rejected") throw (end as PromiseRejectedResult).reason as Error;
}
