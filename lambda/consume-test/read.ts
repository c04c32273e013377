import type { Consumer, Kafka } from "kafkajs";

/**
 * The values of the records with this key that a reader of committed records sees, from the start of a topic to its
 * present end. `complete` is false when `limitMs` ended the read.
 */
export async function readCommitted(
  kafka: Kafka,
  topic: string,
  groupId: string,
  key: string,
  limitMs: number,
): Promise<{ values: string[]; complete: boolean }> {
  const admin = kafka.admin();
  await admin.connect();
  const ends = await admin.fetchTopicOffsets(topic);
  await admin.disconnect();
  const waiting = new Map(
    ends.filter(({ low, high }) => Number(high) > Number(low)).map(({ partition, high }) => [partition, Number(high)]),
  );
  const values: string[] = [];
  if (waiting.size === 0) return { values, complete: true };
  const consumer = kafka.consumer({ groupId, readUncommitted: false, maxWaitTimeInMs: 200 });
  await consumer.connect();
  try {
    const complete = await untilEnd(consumer, topic, key, waiting, values, limitMs);
    return { values, complete };
  } finally {
    await consumer.disconnect();
  }
}

async function untilEnd(
  consumer: Consumer,
  topic: string,
  key: string,
  waiting: Map<number, number>,
  values: string[],
  limitMs: number,
): Promise<boolean> {
  await consumer.subscribe({ topic, fromBeginning: true });
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
          for (const message of batch.messages)
            if (message.key?.toString() === key) values.push(message.value?.toString() ?? "");
          past(batch.partition, Number(batch.lastOffset()) + 1);
          return Promise.resolve();
        },
      })
      .catch(reject);
  });
  return done.finally(() => clearTimeout(timer));
}
