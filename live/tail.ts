import type { Consumer, Kafka, KafkaMessage } from "kafkajs";
import type { Logger } from "../adapters/log.ts";

export interface TailOptions {
  readonly topics: readonly string[];
  readonly groupId: string;
  /** Called for each record, in the order of its partition. Must not block or throw. */
  readonly onRecord: (topic: string, message: KafkaMessage) => void;
  /** Records not read yet, over all partitions of this process. */
  readonly onLag: (records: number) => void;
  readonly log: Logger;
}

export interface Tail {
  /** Whether it is a member of its group. */
  readonly joined: boolean;
  stop(): Promise<void>;
}

/**
 * Follows topics from their end as a member of a group: each partition goes to one process. Nothing that was in the log
 * before this process started is read, nor what the group has read. Also uncommitted records are read: a transaction
 * that is repeated gives the same records, see `SeenIds`.
 */
export async function tail(kafka: Kafka, options: TailOptions): Promise<Tail> {
  const { topics, groupId, log } = options;
  const starts = await startOffsets(kafka, groupId, topics);
  const consumer = kafka.consumer({
    groupId,
    readUncommitted: true,
    maxWaitTimeInMs: 50,
    minBytes: 1,
    sessionTimeout: 10_000,
    heartbeatInterval: 2_000,
    retry: { initialRetryTime: 100, maxRetryTime: 2_000, retries: 20, restartOnFailure: async () => true },
  });
  let joined = false;
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    joined = true;
    seekToStarts(consumer, payload.memberAssignment, starts);
    log.info({ partitions: payload.memberAssignment }, "joined the group");
  });
  consumer.on(consumer.events.CRASH, ({ payload }) => {
    joined = false;
    log.error({ err: payload.error, restart: payload.restart }, "consumer crashed");
  });
  await consumer.connect();
  await consumer.subscribe({ topics: [...topics], fromBeginning: false });
  const lags = new Map<string, number>();
  await consumer.run({
    autoCommitInterval: 1_000,
    eachBatch: ({ batch }) => {
      for (const message of batch.messages) options.onRecord(batch.topic, message);
      lags.set(
        `${batch.topic}/${batch.partition}`,
        Math.max(0, Number(batch.highWatermark) - 1 - Number(batch.lastOffset())),
      );
      options.onLag([...lags.values()].reduce((sum, lag) => sum + lag, 0));
      return Promise.resolve();
    },
  });
  return {
    get joined() {
      return joined;
    },
    stop: () => consumer.disconnect(),
  };
}

/**
 * Where each partition is begun: at its end, unless the group has read to there already. `<topic>/<partition>` to
 * offset.
 */
async function startOffsets(kafka: Kafka, groupId: string, topics: readonly string[]): Promise<Map<string, string>> {
  const admin = kafka.admin();
  await admin.connect();
  try {
    const ends = await Promise.all(
      topics.map(async (topic) =>
        (await retried(() => admin.fetchTopicOffsets(topic))).map(
          ({ partition, high }) => [`${topic}/${partition}`, high] as const,
        ),
      ),
    );
    const committed = new Map(
      (await admin.fetchOffsets({ groupId, topics: [...topics] })).flatMap(({ topic, partitions }) =>
        partitions.map(({ partition, offset }) => [`${topic}/${partition}`, offset] as const),
      ),
    );
    return new Map(ends.flat().filter(([name, high]) => Number(committed.get(name) ?? -1) < Number(high)));
  } finally {
    await admin.disconnect();
  }
}

const RETRIES = 150;
const RETRY_MS = 200;

/**
 * Kafkajs' admin client gives up at once when a partition has no leader yet, as right after a topic's creation or a
 * broker's restart.
 */
async function retried<T>(read: () => Promise<T>): Promise<T> {
  for (let left = RETRIES; ; left--) {
    try {
      return await read();
    } catch (error) {
      if (left === 0 || (error as { retriable?: boolean }).retriable !== true) throw error;
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}

/** Once for each partition: when it comes again, the group's offset is from after the start. */
function seekToStarts(
  consumer: Consumer,
  assignment: Readonly<Record<string, readonly number[]>>,
  starts: Map<string, string>,
): void {
  for (const [topic, partitions] of Object.entries(assignment)) {
    for (const partition of partitions) {
      const offset = starts.get(`${topic}/${partition}`);
      if (offset === undefined) continue;
      starts.delete(`${topic}/${partition}`);
      consumer.seek({ topic, partition, offset });
    }
  }
}
