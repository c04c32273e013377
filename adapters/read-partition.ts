import type { Cluster } from "kafkajs";
import { MillraceError } from "../domain/errors.ts";
import type { EpochMs } from "../domain/time.ts";
import { askLeader, partitionBounds } from "./kafka-cluster.ts";
import { fetchRecords } from "./kafka-records.ts";
import type { LogRecord } from "./record-batches.ts";

/** Offsets that a reader from the end looks at in one go. */
const CHUNK_OFFSETS = 200;

/** A part of a partition: offsets from `from`, inclusive, to `to`, exclusive. */
export interface OffsetRange {
  readonly from: number;
  readonly to: number;
}

/** Times from `from`, inclusive, to `to`, exclusive; epoch ms. */
export interface TimeRange {
  readonly from: EpochMs;
  readonly to: EpochMs;
}

/**
 * The partitions of a topic, in order.
 *
 * @throws MillraceError `arguments-invalid` when it can't be read
 */
export async function partitionsOf(cluster: Cluster, topic: string): Promise<number[]> {
  await cluster.connect();
  try {
    await cluster.addTargetTopic(topic);
  } catch (cause) {
    const message = `topic ${JSON.stringify(topic)} can't be read: ${(cause as Error).message}`;
    throw new MillraceError("arguments-invalid", message, { cause });
  }
  const metadata = cluster.findTopicPartitionMetadata(topic);
  return metadata.map(({ partitionId }) => partitionId).sort((a, b) => a - b);
}

/** The committed record at an offset; null where there is none (any more). */
export async function recordAt(
  cluster: Cluster,
  topic: string,
  partition: number,
  offset: number,
): Promise<LogRecord | null> {
  const { earliest, latest } = await partitionBounds(cluster, topic, partition);
  if (offset < earliest || offset >= latest) return null;
  const { records } = await fetchRecords(cluster, topic, partition, offset);
  return records[0]?.offset === offset ? records[0] : null;
}

/** Committed records of a partition in offset order, in batches. @default range all, up to the end that it has now */
export async function* committedRecords(
  cluster: Cluster,
  topic: string,
  partition: number,
  range?: OffsetRange,
): AsyncGenerator<LogRecord[]> {
  const { earliest, latest } = await partitionBounds(cluster, topic, partition);
  const end = Math.min(latest, range?.to ?? latest);
  for (let offset = Math.max(earliest, range?.from ?? earliest); offset < end;) {
    const { records, nextOffset } = await fetchRecords(cluster, topic, partition, offset);
    yield records.filter((record) => record.offset < end);
    offset = nextOffset;
  }
}

/** Committed records of a partition, from the last one of the range to the first. */
export async function* newestFirst(
  cluster: Cluster,
  topic: string,
  partition: number,
  range: OffsetRange,
): AsyncGenerator<LogRecord> {
  for (let to = range.to; to > range.from;) {
    const from = Math.max(range.from, to - CHUNK_OFFSETS);
    const records: LogRecord[] = [];
    for await (const batch of committedRecords(cluster, topic, partition, { from, to })) records.push(...batch);
    yield* records.reverse();
    to = from;
  }
}

/**
 * The offsets of a partition whose records have timestamps of a time range. Where producers give the timestamps
 * (CreateTime), some records at either end may be of other times.
 */
export async function offsetsBetween(
  cluster: Cluster,
  topic: string,
  partition: number,
  { from, to }: TimeRange,
): Promise<OffsetRange> {
  const { earliest, latest } = await partitionBounds(cluster, topic, partition);
  const first = await firstSince(cluster, topic, partition, from);
  const end = await firstSince(cluster, topic, partition, to);
  return { from: Math.max(earliest, first ?? latest), to: Math.min(latest, end ?? latest) };
}

/** The offset of a partition's first record with at least this timestamp; null when there is none. */
async function firstSince(cluster: Cluster, topic: string, partition: number, since: EpochMs): Promise<number | null> {
  // Kafka takes negative times for the log's bounds.
  if (since === Infinity) return null;
  const fromTimestamp = Math.max(0, Math.floor(since));
  const [answer] = await askLeader(cluster, () =>
    cluster.fetchTopicsOffset([{ topic, partitions: [{ partition }], fromTimestamp }]),
  );
  const offset = Number(answer?.partitions[0]?.offset ?? -1);
  return offset < 0 ? null : offset;
}
