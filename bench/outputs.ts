import type { Consumer, Kafka } from "kafkajs";
import { barOperators } from "../domain/market.ts";
import { barRecord, windowRecord } from "../domain/records.ts";
import { topics } from "../domain/topics.ts";

export interface FollowedRecord {
  readonly partition: number;
  readonly offset: number;
  readonly timestamp: number;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly receivedAt: number;
}

/** Follows a topic's committed records from its start or end. */
export async function follow(
  kafka: Kafka,
  topic: string,
  from: "start" | "end",
  each: (record: FollowedRecord) => void,
): Promise<Consumer> {
  const consumer = kafka.consumer({
    groupId: `bench-${topic}-${process.hrtime.bigint()}`,
    maxWaitTimeInMs: 20,
    minBytes: 1,
  });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: from === "start" });
  const joined = new Promise<void>((resolve) => consumer.on(consumer.events.GROUP_JOIN, () => resolve()));
  await consumer.run({
    autoCommit: false,
    eachBatch: async ({ batch }) => {
      const receivedAt = Date.now();
      for (const { offset, timestamp, value, headers } of batch.messages) {
        each({
          partition: batch.partition,
          offset: Number(offset),
          timestamp: Number(timestamp),
          value,
          headers: Object.fromEntries(Object.entries(headers ?? {}).map(([name, text]) => [name, text?.toString()])),
          receivedAt,
        });
      }
    },
  });
  await joined;
  return consumer;
}

/**
 * Reads all windows until `until` holds, at most 30 s.
 *
 * @returns Readings in the windows' last revisions, number of windows, and number of revisions that were written twice
 */
export async function countReadings(
  kafka: Kafka,
  until: (readings: number) => boolean,
): Promise<{ readings: number; windows: number; repeated: number }> {
  const counts = new Map<string, number>();
  const seen = new Set<string>();
  let readings = 0;
  let repeated = 0;
  let done: () => void = () => undefined;
  const finished = new Promise<void>((resolve) => (done = resolve));
  const consumer = await follow(kafka, topics.aggregated.name, "start", ({ value }) => {
    const record = windowRecord.parse(JSON.parse(value!.toString("utf8")));
    const window = `${record.sensorId}@${record.window.start}`;
    if (seen.has(`${window}/${record.revision}`)) repeated++;
    seen.add(`${window}/${record.revision}`);
    readings += record.count - (counts.get(window) ?? 0);
    counts.set(window, record.count);
    if (until(readings)) done();
  });
  const limit = setTimeout(done, 30_000);
  await finished;
  clearTimeout(limit);
  await consumer.disconnect();
  return { readings, windows: counts.size, repeated };
}

/** Trades in the last revisions of the market's one-minute bars; reads until there are `expected`, at most 30 s. */
export async function countTrades(kafka: Kafka, expected: number): Promise<number> {
  const counts = new Map<string, number>();
  let trades = 0;
  let done: () => void = () => undefined;
  const finished = new Promise<void>((resolve) => (done = resolve));
  const consumer = await follow(kafka, topics.marketAggregated.name, "start", ({ value }) => {
    const { symbol, operator, window, count } = barRecord.parse(JSON.parse(value!.toString("utf8")));
    if (operator !== barOperators[0]) return;
    const bar = `${symbol}@${window.start}`;
    trades += count - (counts.get(bar) ?? 0);
    counts.set(bar, count);
    if (trades >= expected) done();
  });
  const limit = setTimeout(done, 30_000);
  await finished;
  clearTimeout(limit);
  await consumer.disconnect();
  return trades;
}
