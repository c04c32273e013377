import {
  EMPTY_CHAIN,
  stepAll,
  type KnownRecord,
  type MachineFactory,
  type OutputRecord,
  type Failure,
  failureId,
  StepFailed,
  type StateEntry,
  type StateMachine,
} from "../../runtime/machine.ts";

/** Records that are stepped before scores are computed and outputs handed on, at most. */
const BATCH = 256;

/** The state of each partition, as entries. */
export type PartitionStates = ReadonlyMap<number, readonly StateEntry[]>;

/** Takes outputs of a partition, in the order of production. */
export type TakeOutputs = (outputs: readonly OutputRecord[], partition: number) => Promise<void>;

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
  readonly #take: TakeOutputs;
  readonly #begin: PartitionStates;
  readonly #partitions = new Map<number, PartitionReplay>();

  /** @param begin The state that each partition begins with, its next record being the first. @default empty */
  constructor(
    factory: MachineFactory,
    records: () => AsyncIterable<KnownRecord>,
    take: TakeOutputs,
    begin: PartitionStates = new Map(),
  ) {
    this.#begin = begin;
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
    const entries = this.#begin.get(partition);
    const restored = entries
      ? { nextOffset: 0, chain: EMPTY_CHAIN, entries: entries.map((entry) => ({ generation: 0, ...entry })) }
      : null;
    return this.#factory.create({ partition, restored, failures, refused });
  }

  /** The whole state of each partition behind its last record. Called once, behind `run`. */
  states(): PartitionStates {
    const states = new Map(this.#begin);
    for (const [partition, { machine }] of this.#partitions) {
      const entries: StateEntry[] = [];
      machine.rewriteUpTo(0);
      machine.encodeChanges(1, (entry) => entries.push(entry));
      states.set(partition, entries);
    }
    return states;
  }

  async #settle(replayed: PartitionReplay): Promise<void> {
    const outputs = await replayed.machine.settle();
    replayed.outputs += outputs.length;
    await this.#take(outputs, replayed.partition);
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
    await this.#take(fresh, replayed.partition);
  }
}
