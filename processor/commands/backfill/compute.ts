import { MillraceError } from "../../../domain/errors.ts";
import type { EpochMs } from "../../../domain/time.ts";
import { isWithin } from "../../../lambda/shared/runs.ts";
import { reachAt } from "../../../lambda/write-lake/partition.ts";
import { lakeTables } from "../../../lambda/write-lake/rows.ts";
import type { KnownRecord, MachineFactory, OutputRecord } from "../../runtime/machine.ts";
import { outputLine } from "../replay/lines.ts";
import { replayLake } from "../replay/replay-lake.ts";
import type { RunFolder } from "./run-folder.ts";

/** Records between two sentences about progress. */
const PROGRESS_EVERY = 100_000;

/** What a run computes. */
export interface Backfill {
  /** Folder of the lake whose log is replayed. */
  readonly dir: string;
  /** The pipeline with the run's settings, as it runs a generation of its log. */
  readonly open: (generation: number) => MachineFactory;
  readonly generation: number;
  /** Null for all. */
  readonly partitions: readonly number[] | null;
  /** Records from the first one of this time on are stepped, but not to be compared. */
  readonly until: EpochMs;
  /** What the clock says: it decides only in which partition of the lake a row with an unlikely time lies. */
  readonly now: EpochMs;
  /** Called with a sentence about progress, and about what the lake lacks. */
  readonly report: (sentence: string) => void;
  /**
   * Gets each output that is compared, with the time of its partition's last record that is.
   *
   * @default nothing is done
   */
  readonly fill?: (output: OutputRecord, at: EpochMs, isWanted: (id: string) => boolean) => Promise<void>;
}

/** The records of a partition whose outputs are compared, both offsets inclusive; none where `last` is less. */
export interface Range {
  readonly first: number;
  last: number;
  /** Its time. */
  lastAt: EpochMs;
  /** Whether a record behind it is too new to be compared. */
  isCut: boolean;
}

export interface Computed {
  readonly log: string;
  readonly records: number;
  /** Outputs by topic. */
  readonly outputs: Readonly<Record<string, number>>;
  /** By partition. */
  readonly ranges: ReadonlyMap<number, Range>;
}

/**
 * Replays a log from the lake and writes the outputs to the folder of the run.
 *
 * @throws MillraceError `backfill-refused` when the lake has no record of the log; what `replayLake` throws
 */
export async function compute(backfill: Backfill, folder: RunFolder): Promise<Computed> {
  const { dir, open, generation, partitions, until, now, report, fill } = backfill;
  const { log } = open(generation);
  const reach = reachAt(now, 0);
  const ranges = new Map<number, Range>();
  const outputs: Record<string, number> = {};
  let records = 0;
  const see = ({ partition, offset, timestamp }: KnownRecord, of: string): void => {
    records++;
    if (records % PROGRESS_EVERY === 0) report(`${records} records, ${sum(outputs)} outputs, at ${log}/${partition}`);
    if (of !== log) return;
    const range = ranges.get(partition) ?? { first: offset, last: offset - 1, lastAt: timestamp, isCut: false };
    ranges.set(partition, range);
    range.isCut ||= timestamp >= until;
    if (range.isCut) return;
    range.last = offset;
    range.lastAt = timestamp;
  };
  const isCompared = (partition: number) => {
    const last = { [partition]: ranges.get(partition)!.last };
    return (id: string): boolean => isWithin(id, log, last);
  };
  const take = async (taken: readonly OutputRecord[], partition: number): Promise<void> => {
    if (fill && ranges.has(partition))
      for (const output of taken) await fill(output, ranges.get(partition)!.lastAt, isCompared(partition));
    for (const [topic, some] of Map.groupBy(taken, (output) => output.topic)) {
      outputs[topic] = (outputs[topic] ?? 0) + some.length;
      const derived = isDerived(topic) ? lakeTables[topic]! : null;
      if (derived === null) {
        await folder.appendOutputs(topic, some.map(outputLine));
        continue;
      }
      const rows = some.flatMap((output) =>
        derived.toRows(asRecord(output, partition), reach, { sensor: generation, market: generation }),
      );
      await folder.appendRows(
        derived.table,
        rows.map((row) => JSON.stringify(row)),
      );
    }
  };
  await replayLake({ dir, open, first: generation, last: generation, partitions, take, see, warn: report });
  if (ranges.size === 0)
    throw new MillraceError(
      "backfill-refused",
      `the lake has no record of ${log}${partitions === null ? "" : ` in the partitions ${partitions.join(", ")}`}: ` +
        "LOG_GENERATION and --pipeline say which log is meant",
    );
  return { log, records, outputs, ranges };
}

/** Whether the outputs of a topic are rows with the ids of their records. A dead letter's id is its place in Kafka. */
function isDerived(topic: string): boolean {
  const table = lakeTables[topic]?.table;
  return table !== undefined && table !== "dead_letters";
}

/** An output as the function that writes the lake gets it, but for its offset, which no row of an output has. */
function asRecord({ topic, key, value, headers }: OutputRecord, partition: number): RowSource {
  const keyBytes = key === null ? null : Buffer.from(key);
  const valueBytes = value === null ? null : Buffer.from(value);
  return {
    topic,
    partition,
    offset: 0,
    timestamp: 0,
    key: keyBytes?.toString("utf8") ?? null,
    keyBytes,
    keyBase64: keyBytes?.toString("base64") ?? null,
    value: valueBytes,
    valueBase64: valueBytes?.toString("base64") ?? null,
    headers,
    recordHeaders: [],
  };
}

type RowSource = Parameters<(typeof lakeTables)[string]["toRows"]>[0];

function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((total, count) => total + count, 0);
}
