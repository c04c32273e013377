import type { Semantics } from "../../domain/semantics.ts";
import { topics } from "../../domain/topics.ts";
import { machineFactory, sensorMachineFactory } from "../../processor/adapters/machine-factory.ts";
import { marketPipeline } from "../../processor/pipelines/market/market-pipeline.ts";
import type {
  InputRecord,
  MachineFactory,
  MachineOrigin,
  OutputRecord,
  StateEntry,
  StateMachine,
} from "../../processor/runtime/machine.ts";
import { PartitionMachine } from "../../processor/runtime/partition-machine.ts";
import type { LogRecord, Output, Run } from "./log.ts";

/** How a log is cut: after how many records outputs are taken, and before how many the state is restored. */
export interface Cuts {
  readonly settleEvery: number;
  /** 0 for never. */
  readonly restoreEvery: number;
}
const ONE_BY_ONE: Cuts = { settleEvery: 1, restoreEvery: 0 };
/** Generations kept before the oldest is rewritten. */
const MAX_GENERATIONS = 3;

/** Runs the product's machines of the sensors, one per partition, over a log. */
export async function productRun(
  log: readonly LogRecord[],
  settings: Semantics,
  flush: boolean,
  cuts: Cuts = ONE_BY_ONE,
): Promise<Run> {
  return runMachines(sensorMachineFactory(settings), log, flush, cuts);
}

/** The same for the market. */
export async function marketProductRun(
  log: readonly LogRecord[],
  settings: Semantics,
  flush: boolean,
  cuts: Cuts = ONE_BY_ONE,
): Promise<Run> {
  return runMachines(marketMachineFactory(settings), log, flush, cuts);
}

/** The market pipeline as the engine runs it; `initial`: what a log without a `settings` record runs on. */
export function marketMachineFactory(initial: Semantics): MachineFactory {
  return machineFactory(marketPipeline(), { initial });
}

async function runMachines(
  factory: MachineFactory,
  log: readonly LogRecord[],
  flush: boolean,
  cuts: Cuts,
): Promise<Run> {
  const outputs: Output[] = [];
  const partitions = new Map<number, PartitionRun>();
  let current: PartitionRun | undefined;
  let unsettled = 0;
  for (const [i, record] of log.entries()) {
    const partition =
      partitions.get(record.partition) ?? (await PartitionRun.start(record.partition, factory, outputs));
    partitions.set(record.partition, partition);
    if (current !== undefined && (current !== partition || unsettled >= cuts.settleEvery)) {
      await current.settle();
      unsettled = 0;
    }
    if (cuts.restoreEvery > 0 && i % cuts.restoreEvery === 0) await partition.restore();
    current = partition;
    partition.machine.step(inputRecord(record));
    unsettled += 1;
  }
  await current?.settle();
  const ascending = [...partitions].sort(([a], [b]) => a - b).map(([, partition]) => partition);
  if (flush)
    for (const partition of ascending) {
      partition.machine.flush();
      await partition.settle();
    }
  return { outputs, duplicates: ascending.reduce((sum, partition) => sum + partition.duplicates, 0) };
}

/** The machines of one partition, one after the other: each restore builds a new one. */
class PartitionRun {
  #machine: StateMachine;
  readonly #create: (restored: MachineOrigin["restored"]) => Promise<StateMachine>;
  readonly #outputs: Output[];
  /** Duplicates counted by the machines before this one. */
  #earlierDuplicates = 0;
  #generation = 0;
  /** Written entries by generation: only whole generations are ever dropped. */
  readonly #generations = new Map<number, StateEntry[]>();

  private constructor(
    machine: StateMachine,
    create: (restored: MachineOrigin["restored"]) => Promise<StateMachine>,
    outputs: Output[],
  ) {
    this.#machine = machine;
    this.#create = create;
    this.#outputs = outputs;
  }

  static async start(partition: number, factory: MachineFactory, outputs: Output[]): Promise<PartitionRun> {
    const create = async (restored: MachineOrigin["restored"]): Promise<StateMachine> =>
      factory.create({ partition, restored, failures: new Map() });
    return new PartitionRun(await create(null), create, outputs);
  }

  get machine(): StateMachine {
    return this.#machine;
  }

  get duplicates(): number {
    const { machine } = this;
    const counted = machine instanceof PartitionMachine ? machine.counters.get("processor.duplicates") : 0;
    return this.#earlierDuplicates + counted;
  }

  async settle(): Promise<void> {
    this.#outputs.push(...(await this.#machine.settle()).map(readOutput));
  }

  /** Writes what changed, drops the generations that no item needs, and builds the next machine from the rest. */
  async restore(): Promise<void> {
    await this.settle();
    this.#write();
    const entries = [...this.#generations].flatMap(([generation, list]) =>
      list.map((entry) => ({ ...entry, generation })),
    );
    const { nextOffset, chain } = this.#machine;
    this.#earlierDuplicates = this.duplicates;
    this.#machine = await this.#create({ nextOffset, chain, entries });
  }

  #write(): void {
    const [machine, generations] = [this.#machine, this.#generations];
    this.#generation += 1;
    const rewritten = generations.size >= MAX_GENERATIONS ? Math.min(...generations.keys()) : 0;
    if (rewritten > 0) machine.rewriteUpTo(rewritten);
    const written: StateEntry[] = [];
    machine.encodeChanges(this.#generation, ({ key, value }) => written.push({ key, value: Uint8Array.from(value) }));
    generations.set(this.#generation, written);
    const live = new Set(machine.liveGenerations());
    for (const generation of live)
      if (generation <= rewritten)
        throw new Error(`generation ${generation} is still live, though all up to ${rewritten} were rewritten`);
    for (const generation of generations.keys()) if (!live.has(generation)) generations.delete(generation);
  }
}

function inputRecord({ key, ...rest }: LogRecord): InputRecord {
  return { ...rest, key: key === null ? null : Buffer.from(key) };
}

/** An output of a machine as the reference has it. */
export function readOutput({ topic, key, value, headers }: OutputRecord): Output {
  const text = key === null || typeof key === "string" ? key : Buffer.from(key).toString("utf8");
  if (topic === topics.deadLetter.name || value === null)
    return { topic, key: text, value: value === null ? null : Uint8Array.from(value), headers };
  return { topic, key: text, value: JSON.parse(Buffer.from(value).toString("utf8")) as unknown, headers };
}
