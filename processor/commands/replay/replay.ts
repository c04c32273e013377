import {
  stepAll,
  type KnownRecord,
  type MachineFactory,
  type OutputRecord,
  type Failure,
  failureId,
  StepFailed,
  type StateMachine,
} from "../../runtime/machine.ts";

/** Records that are stepped before scores are computed and outputs handed on, at most. */
const BATCH = 256;

/** One partition: its machine, how many of its outputs were handed on, and where it failed, by `failureId`. */
interface PartitionReplay {
  readonly partition: number;
  machine: StateMachine;
  outputs: number;
  readonly failures: Map<string, Failure>;
}

/**
 * Runs a machine per partition over records in their order, and hands the outputs on in the order of production.
 *
 * The records must be readable again from the start: after an operator has thrown in a step, the partition is replayed
 * up to that record.
 */
export class Replay {
  readonly #factory: MachineFactory;
  readonly #records: () => AsyncIterable<KnownRecord>;
  readonly #take: (outputs: readonly OutputRecord[]) => Promise<void>;
  readonly #partitions = new Map<number, PartitionReplay>();

  constructor(
    factory: MachineFactory,
    records: () => AsyncIterable<KnownRecord>,
    take: (outputs: readonly OutputRecord[]) => Promise<void>,
  ) {
    this.#factory = factory;
    this.#records = records;
    this.#take = take;
  }

  /** @param flush Whether time ends behind the last record, partition by partition: what is open fires. */
  async run(flush: boolean): Promise<void> {
    let current: PartitionReplay | null = null;
    let unsettled = 0;
    for await (const record of this.#records()) {
      const replayed = await this.#partitionOf(record.partition);
      if (current !== null && (replayed !== current || unsettled >= BATCH || replayed.machine.mustSettle)) {
        await this.#settle(current);
        unsettled = 0;
      }
      current = replayed;
      unsettled++;
      for (const failure of record.failed ?? []) replayed.failures.set(failureId(failure), failure);
      try {
        replayed.machine.step(record);
      } catch (error) {
        if (!(error instanceof StepFailed)) throw error;
        await this.#rebuild(replayed, error);
        unsettled = 0;
      }
    }
    if (current !== null) await this.#settle(current);
    if (!flush) return;
    for (const replayed of [...this.#partitions.values()].sort((a, b) => a.partition - b.partition)) {
      replayed.machine.flush();
      await this.#settle(replayed);
    }
  }

  async #partitionOf(partition: number): Promise<PartitionReplay> {
    const known = this.#partitions.get(partition);
    if (known) return known;
    const failures = new Map<string, Failure>();
    const replayed = { partition, machine: await this.#create(partition, failures), outputs: 0, failures };
    this.#partitions.set(partition, replayed);
    return replayed;
  }

  async #create(partition: number, failures: Map<string, Failure>): Promise<StateMachine> {
    const refused = (failure: Failure): void => void failures.set(failureId(failure), failure);
    return this.#factory.create({ partition, restored: null, failures, refused });
  }

  async #settle(replayed: PartitionReplay): Promise<void> {
    const outputs = await replayed.machine.settle();
    replayed.outputs += outputs.length;
    await this.#take(outputs);
  }

  /** An operator threw in a step: a new machine replays up to that record, and the record is dead-lettered. */
  async #rebuild(replayed: PartitionReplay, error: StepFailed): Promise<void> {
    const { offset, key, message } = error;
    replayed.failures.set(failureId(error), { offset, key, message });
    replayed.machine = await this.#create(replayed.partition, replayed.failures);
    const outputs: OutputRecord[] = [];
    for await (const record of this.#records()) {
      if (record.partition !== replayed.partition) continue;
      outputs.push(...(await stepAll(replayed.machine, [record])));
      if (record.offset === offset) break;
    }
    const fresh = outputs.slice(replayed.outputs);
    replayed.outputs = outputs.length;
    await this.#take(fresh);
  }
}
