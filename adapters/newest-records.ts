import type { Cluster } from "kafkajs";
import { askLeader } from "./kafka-cluster.ts";
import { fetchRecords } from "./kafka-records.ts";
import { partitionsOf } from "./read-partition.ts";
import type { LogRecord } from "./record-batches.ts";

/** Bytes of records after which reading ends. */
const MAX_BYTES = 8 * 1024 * 1024;
const MAX_OFFSETS = 5_000;

export interface NewestOptions {
  /** Records that are wanted. */
  readonly limit: number;
  /** Only of this partition. @default all */
  readonly partition?: number;
  /** Only before this offset. @default the end */
  readonly before?: number;
  /** Offsets of a partition that are looked at. @default 5,000 */
  readonly maxOffsets?: number;
}

/** The last records of a topic. */
export interface NewestRecords {
  /** The newest first. */
  readonly records: readonly LogRecord[];
  /** Whether no newer record is missing among them. */
  readonly isComplete: boolean;
}

/** What was read of a partition: everything from `from` to `end`. */
interface Part {
  readonly partition: number;
  readonly first: number;
  readonly end: number;
  from: number;
  records: LogRecord[];
}

/**
 * The newest committed records of a topic by their timestamps, without a consumer group. It goes back in each partition
 * only as far as it must, and stops at 8 MB of records and 5,000 offsets of a partition.
 *
 * @throws MillraceError `arguments-invalid` for a topic that is not there
 */
export async function newestRecords(
  cluster: Cluster,
  topic: string,
  { limit, partition: only, before = Infinity, maxOffsets = MAX_OFFSETS }: NewestOptions,
): Promise<NewestRecords> {
  const wanted = (await partitionsOf(cluster, topic)).filter((partition) => only === undefined || partition === only);
  const parts = await endsOf(cluster, topic, wanted, before);
  const budget = { bytes: MAX_BYTES };
  let step = Math.ceil(limit / Math.max(1, wanted.length)) + 1;
  for (let open = parts.filter(hasOlder); open.length > 0; step *= 4) {
    for (const part of open) {
      if (budget.bytes <= 0) return { records: newestOf(parts, limit), isComplete: false };
      await readOlder(cluster, topic, part, step, budget);
    }
    const cutoff = newestOf(parts, limit)[limit - 1]?.timestamp ?? -Infinity;
    open = parts.filter((part) => hasOlder(part) && (part.records[0]?.timestamp ?? Infinity) > cutoff);
    if (open.some(({ end, from }) => end - from >= maxOffsets))
      return { records: newestOf(parts, limit), isComplete: false };
  }
  return { records: newestOf(parts, limit), isComplete: true };
}

function hasOlder({ from, first }: Part): boolean {
  return from > first;
}

function newestOf(parts: readonly Part[], limit: number): LogRecord[] {
  return parts
    .flatMap(({ records }) => records)
    .sort((a, b) => b.timestamp - a.timestamp || b.offset - a.offset || a.partition - b.partition)
    .slice(0, limit);
}

async function endsOf(cluster: Cluster, topic: string, partitions: readonly number[], before: number): Promise<Part[]> {
  if (partitions.length === 0) return [];
  const at = async (fromBeginning: boolean): Promise<Map<number, number>> => {
    const [answer] = await askLeader(cluster, () =>
      cluster.fetchTopicsOffset([{ topic, partitions: partitions.map((partition) => ({ partition })), fromBeginning }]),
    );
    return new Map(answer?.partitions.map(({ partition, offset }) => [partition, Number(offset)]));
  };
  const [first, next] = [await at(true), await at(false)];
  return partitions.map((partition) => {
    const end = Math.max(first.get(partition) ?? 0, Math.min(next.get(partition) ?? 0, before));
    return { partition, first: first.get(partition) ?? 0, end, from: end, records: [] };
  });
}

/** Reads `step` offsets more, before those that were read. */
async function readOlder(
  cluster: Cluster,
  topic: string,
  part: Part,
  step: number,
  budget: { bytes: number },
): Promise<void> {
  const to = part.from;
  const from = Math.max(part.first, to - step);
  const older: LogRecord[] = [];
  for (let offset = from; offset < to;) {
    const { records, nextOffset } = await fetchRecords(cluster, topic, part.partition, offset);
    if (nextOffset <= offset) break;
    for (const record of records) {
      budget.bytes -= record.size;
      if (record.offset < to) older.push(record);
    }
    offset = nextOffset;
  }
  part.from = from;
  part.records = [...older, ...part.records];
}
