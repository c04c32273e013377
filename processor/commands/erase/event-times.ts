import { rawLakeRecords } from "../../adapters/raw-lake.ts";
import { type Failure, failureId, type MachineFactory } from "../../runtime/machine.ts";
import type { PartitionMachine } from "../../runtime/partition-machine.ts";
import type { EventTimes } from "./lake.ts";

/** Records that are stepped before scores are computed, at most. */
const BATCH = 256;

/**
 * The partition's highest event time behind each record of a key that raised it, from the lake: what these records
 * leave where the watermark is the partition's.
 *
 * @throws MillraceError `arguments-invalid` when the folder holds no such table; StepFailed
 */
export async function eventTimesOf(lakeDir: string, factory: MachineFactory, key: string): Promise<EventTimes> {
  const times = new Map<string, number>();
  const machines = new Map<number, { machine: PartitionMachine; failures: Map<string, Failure> }>();
  let steps = 0;
  for await (const record of rawLakeRecords(lakeDir, factory.sourceTopic, factory.log, () => undefined)) {
    const { partition, offset } = record;
    let one = machines.get(partition);
    if (!one) {
      const failures = new Map<string, Failure>();
      const machine = (await factory.create({ partition, restored: null, failures })) as PartitionMachine;
      machines.set(partition, (one = { machine, failures }));
    }
    for (const failure of record.failed ?? []) one.failures.set(failureId(failure), failure);
    if (one.machine.mustSettle || ++steps % BATCH === 0) await one.machine.settle();
    const before = one.machine.maxEventTime;
    one.machine.step(record);
    const isOwn = record.key !== null && Buffer.from(record.key).toString() === key;
    if (isOwn && one.machine.maxEventTime > before) times.set(`${partition}/${offset}`, one.machine.maxEventTime);
  }
  return times;
}
