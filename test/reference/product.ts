import type { Semantics } from "../../domain/imu.ts";
import { topics } from "../../domain/topics.ts";
import { sensorMachineFactory } from "../../processor/adapters/machine-factory.ts";
import type {
  InputRecord,
  MachineOrigin,
  OutputRecord,
  StateEntry,
  StateMachine,
} from "../../processor/runtime/machine.ts";
import { PartitionMachine } from "../../processor/runtime/partition-machine.ts";
import type { LogRecord, Output, Run } from "./log.ts";

/** How a log is cut: after how many records outputs are taken, and before how many the state is written and read back. */
export interface Cuts {
  readonly settleEvery: number;
  /** 0 for never. */
  readonly restoreEvery: number;
}
const ONE_BY_ONE: Cuts = { settleEvery: 1, restoreEvery: 0 };

/** Runs the product's machines, one per partition, over a log. */
export async function productRun(
  log: readonly LogRecord[],
  settings: Semantics,
  flush: boolean,
  cuts: Cuts = ONE_BY_ONE,
): Promise<Run> {
  const factory = sensorMachineFactory(settings);
  const lanes = new Map<number, Lane>();
  const outputs: Output[] = [];
  let current: Lane | undefined;
  let unsettled = 0;
  const settle = async (lane: Lane): Promise<void> =>
    void outputs.push(...(await lane.machine.settle()).map(readOutput));
  for (const [i, record] of log.entries()) {
    const lane: Lane = lanes.get(record.partition) ?? {
      machine: await factory.create({ partition: record.partition, restored: null, failedOffsets: new Map() }),
      duplicates: 0,
      generation: 0,
      generations: new Map(),
    };
    lanes.set(record.partition, lane);
    if (current !== undefined && (current !== lane || unsettled >= cuts.settleEvery)) {
      await settle(current);
      unsettled = 0;
    }
    if (cuts.restoreEvery > 0 && i % cuts.restoreEvery === 0) {
      await settle(lane);
      await restore(lane, async (restored) =>
        factory.create({ partition: record.partition, restored, failedOffsets: new Map() }),
      );
    }
    current = lane;
    lane.machine.step(inputRecord(record));
    unsettled += 1;
  }
  if (current !== undefined) await settle(current);
  for (const [, lane] of flush ? [...lanes].sort(([a], [b]) => a - b) : []) {
    lane.machine.flush();
    await settle(lane);
  }
  return {
    outputs,
    duplicates: [...lanes.values()].reduce((sum, lane) => sum + lane.duplicates + duplicatesOf(lane), 0),
  };
}

/** What the lane's machine of the moment has counted. */
function duplicatesOf({ machine }: Lane): number {
  return machine instanceof PartitionMachine ? machine.counters.get("processor.duplicates") : 0;
}

interface Lane {
  machine: StateMachine;
  /** Duplicates that machines before this one have counted. */
  duplicates: number;
  generation: number;
  /** What was written, by generation: only whole generations are ever dropped. */
  readonly generations: Map<number, StateEntry[]>;
}
/** Generations kept before the oldest is written anew. */
const MAX_GENERATIONS = 3;

/** Writes what changed, drops the generations that no item needs, and goes on with a machine built from the rest. */
async function restore(
  lane: Lane,
  create: (restored: NonNullable<MachineOrigin["restored"]>) => Promise<StateMachine>,
): Promise<void> {
  const { machine, generations } = lane;
  lane.generation += 1;
  const rewritten = generations.size >= MAX_GENERATIONS ? Math.min(...generations.keys()) : 0;
  if (rewritten > 0) machine.rewriteUpTo(rewritten);
  const written: StateEntry[] = [];
  machine.encodeChanges(lane.generation, ({ key, value }) => written.push({ key, value: Uint8Array.from(value) }));
  generations.set(lane.generation, written);
  const live = new Set(machine.liveGenerations());
  for (const generation of live)
    if (generation <= rewritten)
      throw new Error(`generation ${generation} is still live, though all up to ${rewritten} were written anew`);
  for (const generation of generations.keys()) if (!live.has(generation)) generations.delete(generation);
  const entries = [...generations].flatMap(([generation, list]) => list.map((entry) => ({ ...entry, generation })));
  lane.duplicates += duplicatesOf(lane);
  lane.machine = await create({ nextOffset: machine.nextOffset, chain: machine.chain, entries });
}

function inputRecord({ key, ...rest }: LogRecord): InputRecord {
  return { ...rest, key: key === null ? null : Buffer.from(key) };
}

function readOutput({ topic, key, value, headers }: OutputRecord): Output {
  const text = key === null || typeof key === "string" ? key : Buffer.from(key).toString("utf8");
  if (topic === topics.deadLetter.name || value === null)
    return { topic, key: text, value: value === null ? null : Uint8Array.from(value), headers };
  return { topic, key: text, value: JSON.parse(Buffer.from(value).toString("utf8")) as unknown, headers };
}
