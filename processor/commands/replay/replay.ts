import {
  stepAll,
  type InputRecord,
  type MachineFactory,
  type OutputRecord,
  StepFailed,
  type StateMachine,
} from "../../runtime/machine.ts";

/** Records that are stepped before their scores are computed and their outputs handed on. */
const BATCH = 256;

/** One partition: its machine, and how far its outputs were handed on. */
interface Lane {
  readonly partition: number;
  machine: StateMachine;
  outputs: number;
  readonly failed: Map<number, string>;
}

/**
 * Runs a machine per partition over records, in the order in which they come, and hands the outputs on in the order of
 * production. The records can be read again from the start: that is how a partition is brought back to where it was
 * when our own code threw in a step.
 */
export class Replay {
  readonly #factory: MachineFactory;
  readonly #records: () => AsyncIterable<InputRecord>;
  readonly #take: (outputs: readonly OutputRecord[]) => Promise<void>;
  readonly #lanes = new Map<number, Lane>();

  constructor(
    factory: MachineFactory,
    records: () => AsyncIterable<InputRecord>,
    take: (outputs: readonly OutputRecord[]) => Promise<void>,
  ) {
    this.#factory = factory;
    this.#records = records;
    this.#take = take;
  }

  /** `flush`: ends time behind the last record, partition by partition. */
  async run(flush: boolean): Promise<void> {
    let current: Lane | null = null;
    let unsettled = 0;
    for await (const record of this.#records()) {
      const lane = await this.#laneOf(record.partition);
      if (current !== null && (lane !== current || unsettled >= BATCH || lane.machine.mustSettle)) {
        await this.#settle(current);
        unsettled = 0;
      }
      current = lane;
      unsettled++;
      try {
        lane.machine.step(record);
      } catch (error) {
        if (!(error instanceof StepFailed)) throw error;
        await this.#rebuild(lane, error);
        unsettled = 0;
      }
    }
    if (current !== null) await this.#settle(current);
    if (!flush) return;
    for (const lane of [...this.#lanes.values()].sort((a, b) => a.partition - b.partition)) {
      lane.machine.flush();
      await this.#settle(lane);
    }
  }

  async #laneOf(partition: number): Promise<Lane> {
    const known = this.#lanes.get(partition);
    if (known) return known;
    const lane = {
      partition,
      machine: await this.#factory.create({ partition, restored: null, failedOffsets: new Map() }),
      outputs: 0,
      failed: new Map<number, string>(),
    };
    this.#lanes.set(partition, lane);
    return lane;
  }

  async #settle(lane: Lane): Promise<void> {
    const outputs = await lane.machine.settle();
    lane.outputs += outputs.length;
    await this.#take(outputs);
  }

  /** Our own code threw in a step: a new machine is brought behind that record, which is dead-lettered. */
  async #rebuild(lane: Lane, { offset, message }: StepFailed): Promise<void> {
    lane.failed.set(offset, message);
    lane.machine = await this.#factory.create({
      partition: lane.partition,
      restored: null,
      failedOffsets: lane.failed,
    });
    const outputs: OutputRecord[] = [];
    for await (const record of this.#records()) {
      if (record.partition !== lane.partition) continue;
      outputs.push(...(await stepAll(lane.machine, [record])));
      if (record.offset === offset) break;
    }
    const fresh = outputs.slice(lane.outputs);
    lane.outputs = outputs.length;
    await this.#take(fresh);
  }
}
