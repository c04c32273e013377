import type { Admin, Consumer, Kafka, KafkaMessage } from "kafkajs";
import { undecodableIn } from "../adapters/kafkajs-fetch.ts";
import type { Logger } from "../adapters/log.ts";

/** What to follow, and what to call. */
export interface TailOptions {
  readonly topics: readonly string[];
  readonly groupId: string;
  /** Called for each record, in the order of its partition. It must not block or throw. */
  readonly onRecord: (topic: string, message: KafkaMessage) => void;
  /** Called after each batch with the number of records not read yet, over all partitions of this process. */
  readonly onLag: (records: number) => void;
  readonly log: Logger;
}

/** A running reader. */
export interface Tail {
  /** Whether it is a member of its consumer group. */
  readonly joined: boolean;
  /** Partitions that stand at a batch that can't be decoded, each with the reason. */
  readonly stopped: ReadonlyMap<string, string>;
  /** Leaves the group and disconnects. */
  stop(): Promise<void>;
}

/**
 * Follows topics from their end as a member of a consumer group, so that one process reads each partition. It reads
 * neither records from before the start of this process nor those that the group has read.
 *
 * It reads uncommitted records, too: a repeated transaction writes the same records, which `SeenIds` recognises.
 *
 * @throws kafkajs' error when Kafka cannot be reached within its client's retries
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
  const lags = new Map<string, number>();
  const stopped = new Map<string, string>();
  let joined = false;
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    joined = true;
    lags.clear();
    stopped.clear();
    seekToStarts(consumer, payload.memberAssignment, starts);
    log.info({ partitions: payload.memberAssignment }, "joined the group");
  });
  consumer.on(consumer.events.CRASH, ({ payload }) => {
    joined = false;
    log.error({ err: payload.error, restart: payload.restart }, "consumer crashed");
  });
  await consumer.connect();
  await consumer.subscribe({ topics: [...topics], fromBeginning: false });
  await consumer.run({
    autoCommitInterval: 1_000,
    eachBatchAutoResolve: false,
    eachBatch: (payload) => {
      const { batch } = payload;
      const name = `${batch.topic}/${batch.partition}`;
      const undecodable = undecodableIn(batch.messages);
      const messages = undecodable ? batch.messages.slice(0, undecodable.at) : batch.messages;
      for (const message of messages) options.onRecord(batch.topic, message);
      const last = messages.at(-1);
      if (last) payload.resolveOffset(last.offset);
      if (undecodable) {
        payload.pause();
        const { offset } = batch.messages[undecodable.at]!;
        stopped.set(name, `the batch at offset ${offset} can't be decoded: ${undecodable.error.message}`);
        log.error(
          { err: undecodable.error, partition: name, offset },
          "a batch can't be decoded: its partition stands",
        );
      }
      const read = undecodable ? Number(batch.messages[undecodable.at]!.offset) - 1 : Number(batch.lastOffset());
      lags.set(name, Math.max(0, Number(batch.highWatermark) - 1 - read));
      options.onLag([...lags.values()].reduce((sum, lag) => sum + lag, 0));
      return Promise.resolve();
    },
  });
  return {
    get joined() {
      return joined;
    },
    stopped,
    stop: () => consumer.disconnect(),
  };
}

/**
 * The end of each partition that the group has not read to its end, by `<topic>/<partition>`. Reading starts there; the
 * other partitions start at the group's offset, which is the end.
 */
async function startOffsets(kafka: Kafka, groupId: string, topics: readonly string[]): Promise<Map<string, string>> {
  const admin = kafka.admin();
  await admin.connect();
  try {
    const ends = await Promise.all(topics.map((topic) => endOffsets(admin, topic)));
    const committed = new Map<string, string>();
    for (const { topic, partitions } of await admin.fetchOffsets({ groupId, topics: [...topics] }))
      for (const { partition, offset } of partitions) committed.set(`${topic}/${partition}`, offset);
    return new Map(ends.flat().filter(([name, end]) => Number(committed.get(name) ?? -1) < Number(end)));
  } finally {
    await admin.disconnect();
  }
}

async function endOffsets(admin: Admin, topic: string): Promise<(readonly [name: string, offset: string])[]> {
  const offsets = await retried(() => admin.fetchTopicOffsets(topic));
  return offsets.map(({ partition, high }) => [`${topic}/${partition}`, high] as const);
}

const RETRIES = 150;
const RETRY_MS = 200;

/**
 * The admin client of kafkajs does not retry when a partition has no leader, which happens after a topic is created or
 * a broker restarts.
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

/** Seeks once for each partition: when it is assigned again, the group's offset is beyond the start. */
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
