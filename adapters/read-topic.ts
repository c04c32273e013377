import { setTimeout as delay } from "node:timers/promises";
import type { Admin, Consumer, Kafka } from "kafkajs";

/** A committed record of a topic. */
export interface TopicRecord {
  readonly partition: number;
  readonly key: string | null;
  /** Null for a tombstone. */
  readonly value: string | null;
}

export interface ReadOptions {
  /** Group under which it reads. It commits nothing. */
  readonly groupId: string;
  /** How long it may take. @default 60 s */
  readonly limitMs?: number;
  /** Reads only so many offsets before the end of each partition. @default all */
  readonly lookBack?: number;
}

/**
 * The records of a topic that a reader of committed records sees, up to its present end; in offset order per partition.
 * `complete` is false when the limit ended the read.
 */
export async function readTopic(
  kafka: Kafka,
  topic: string,
  { groupId, limitMs = 60_000, lookBack = Infinity }: ReadOptions,
): Promise<{ records: TopicRecord[]; complete: boolean }> {
  const bounds = (await offsetsOf(kafka, topic))
    .map(({ partition, low, high }) => ({
      partition,
      from: Math.max(Number(low), Number(high) - lookBack),
      to: Number(high),
    }))
    .filter(({ from, to }) => to > from);
  const records: TopicRecord[] = [];
  if (bounds.length === 0) return { records, complete: true };
  const consumer = kafka.consumer({ groupId, readUncommitted: false, maxWaitTimeInMs: 200 });
  await consumer.connect();
  try {
    const complete = await untilEnd(consumer, topic, bounds, records, limitMs);
    return { records, complete };
  } finally {
    await consumer.disconnect();
  }
}

/** A partition gets its first leader, or another one. kafkajs gives up at once. */
const LEADER_MOVES: ReadonlySet<unknown> = new Set(["NOT_LEADER_FOR_PARTITION", "LEADER_NOT_AVAILABLE"]);
const LEADER = { limitMs: 10_000, waitMs: 100 } as const;

async function offsetsOf(kafka: Kafka, topic: string): ReturnType<Admin["fetchTopicOffsets"]> {
  for (const deadline = performance.now() + LEADER.limitMs; ;) {
    // A new one asks who leads. One that was connected before knows it, or thinks so.
    const admin = kafka.admin();
    try {
      await admin.connect();
      return await admin.fetchTopicOffsets(topic);
    } catch (error) {
      if (!LEADER_MOVES.has((error as { type?: unknown }).type) || performance.now() > deadline) throw error;
    } finally {
      await admin.disconnect();
    }
    await delay(LEADER.waitMs);
  }
}

interface Bounds {
  readonly partition: number;
  readonly from: number;
  readonly to: number;
}

async function untilEnd(
  consumer: Consumer,
  topic: string,
  bounds: readonly Bounds[],
  records: TopicRecord[],
  limitMs: number,
): Promise<boolean> {
  await consumer.subscribe({ topic, fromBeginning: true });
  const waiting = new Map(bounds.map(({ partition, to }) => [partition, to]));
  let timer: NodeJS.Timeout | undefined;
  const done = new Promise<boolean>((resolve, reject) => {
    timer = setTimeout(() => resolve(false), limitMs);
    const past = (partition: number, next: number): void => {
      if (next >= (waiting.get(partition) ?? Number.POSITIVE_INFINITY)) waiting.delete(partition);
      if (waiting.size === 0) resolve(true);
    };
    // A batch may have aborted records and markers only. Its end still says how far the reader is.
    consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload }) =>
      past(payload.partition, Number(payload.lastOffset) + 1),
    );
    consumer
      .run({
        autoCommit: false,
        eachBatchAutoResolve: true,
        eachBatch: ({ batch }) => {
          const { partition, messages } = batch;
          for (const { key, value } of messages)
            records.push({ partition, key: key?.toString() ?? null, value: value?.toString() ?? null });
          past(partition, Number(batch.lastOffset()) + 1);
          return Promise.resolve();
        },
      })
      .catch(reject);
    for (const { partition, from } of bounds) consumer.seek({ topic, partition, offset: String(from) });
  });
  return done.finally(() => clearTimeout(timer));
}
