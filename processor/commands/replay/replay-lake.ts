import { generationOf } from "../../../domain/names.ts";
import { logBefore, rawLakeRecords } from "../../adapters/raw-lake.ts";
import type { KnownRecord, MachineFactory } from "../../runtime/machine.ts";
import { stateForNextLog } from "../../runtime/next-log.ts";
import { type PartitionStates, Replay, type TakeOutputs } from "./replay.ts";

/** A lake, and how the generations of its log are replayed. */
export interface LakeReplay {
  /** Folder of the lake. */
  readonly dir: string;
  /** The pipeline, as it runs a generation of its log. */
  readonly open: (generation: number) => MachineFactory;
  /** First and last generation whose outputs are taken. */
  readonly first: number;
  readonly last: number;
  readonly take: TakeOutputs;
  /** Partitions that are replayed. @default all */
  readonly partitions?: readonly number[] | null;
  /** Sees each record, with its log, before it is stepped. @default nothing is done */
  readonly see?: (record: KnownRecord, log: string) => void;
  readonly warn: (sentence: string) => void;
}

/** The newest log that a lake has records of, and the state behind its last record, for the log that continues it. */
export interface LakeState {
  readonly log: string;
  readonly states: PartitionStates;
}

/**
 * Replays generations of a log from the lake, ascending. One that was restored begins with the state that the log
 * before it ended with, so that one is replayed, too; any other begins with an empty state.
 *
 * @param flush Whether time ends behind the last generation.
 * @returns Null when the lake has no record of these generations.
 * @throws MillraceError `arguments-invalid`; what the machine throws
 */
export async function replayLake(lake: LakeReplay, flush = false): Promise<LakeState | null> {
  const before = await logsBefore(lake);
  const ends = new Map<string, PartitionStates>();
  let newest: LakeState | null = null;
  for (const generation of [...before.keys()].sort((a, b) => a - b)) {
    const factory = lake.open(generation);
    let hasRecords = false;
    const records = async function* (): AsyncGenerator<KnownRecord> {
      const { sourceTopic, log } = factory;
      const only = { partitions: lake.partitions ?? null };
      for await (const record of rawLakeRecords(lake.dir, sourceTopic, log, lake.warn, only)) {
        hasRecords = true;
        lake.see?.(record, log);
        yield record;
      }
    };
    const take = generation >= lake.first ? lake.take : () => Promise.resolve();
    const replay = new Replay(factory, records, take, ends.get(before.get(generation) ?? ""));
    await replay.run(flush && generation === lake.last);
    if (!hasRecords) continue;
    const states = new Map([...replay.states()].map(([partition, entries]) => [partition, stateForNextLog(entries)]));
    ends.set(factory.log, states);
    newest = { log: factory.log, states };
  }
  return newest;
}

/** The generations that are replayed, each with the log that it continues. */
async function logsBefore({ dir, open, first, last }: LakeReplay): Promise<Map<number, string | null>> {
  const found = new Map<number, string | null>();
  const wanted = Array.from({ length: last - first + 1 }, (_, i) => first + i);
  for (let generation = wanted.pop(); generation !== undefined; generation = wanted.pop()) {
    const { sourceTopic, log } = open(generation);
    const before = generation === 1 ? null : await logBefore(dir, sourceTopic, log);
    found.set(generation, before);
    if (before !== null && generationOf(before) < first) wanted.push(generationOf(before));
  }
  return found;
}
