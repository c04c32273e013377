import { randomUUID } from "node:crypto";
import { type Kafka, Partitioners, type Producer } from "kafkajs";
import { type ChangeRecord, changeRecord, CHANGE_HEADER, changeGroup, controlHeaders } from "../domain/controls.ts";
import { type ControlType, headers, topics } from "../domain/topics.ts";
import { readTopic } from "./read-topic.ts";

/** A change of what holds for an input topic: control records of this type for each of its partitions. */
export interface Change {
  readonly topic: string;
  readonly type: Exclude<ControlType, "tick">;
  /** What changes, as `millrace-changes` has it. */
  readonly value: string;
  /** The own headers of each record, in order. @default one record, whose type's own header is the value */
  readonly records?: readonly Readonly<Record<string, string>>[];
}

/** What `makeChange` did. */
export interface ChangeMade {
  readonly id: string;
  readonly partitions: number;
  /** Whether an earlier command had begun it, and was interrupted. */
  readonly resumed: boolean;
}

/**
 * Appends a change to every partition of its topic, its records in order. `millrace-changes` says so before, and again
 * behind it: a command that is interrupted is finished by giving it again, under the same id, so that a task takes the
 * change once.
 *
 * @param id Names the change. @default that of the interrupted command, or a new one
 */
export async function makeChange(kafka: Kafka, change: Change, id?: string): Promise<ChangeMade> {
  const last = await lastChange(kafka, change);
  const resumed = last !== null && !last.done && last.value === change.value && (id ?? last.id) === last.id;
  const named = id ?? (resumed ? last.id : randomUUID());
  const partitions = await partitionsOf(kafka, change.topic);
  await withIdempotentProducer(kafka, async (producer) => {
    await tell(producer, change, { id: named, value: change.value, done: false });
    await appendChange(producer, partitions, change, named);
    await tell(producer, change, { id: named, value: change.value, done: true });
  });
  return { id: named, partitions: partitions.length, resumed };
}

/** The last change of a type that a topic got; null for none. */
export async function lastChange(kafka: Kafka, { topic, type }: Omit<Change, "value">): Promise<ChangeRecord | null> {
  const { records } = await readTopic(kafka, topics.changes.name, { groupId: changeGroup });
  const value = records.findLast(({ key }) => key === changeKey(topic, type))?.value;
  return value == null ? null : changeRecord.parse(JSON.parse(value));
}

/**
 * Appends a change to partitions, to one after the other, outside of any transaction: not all readers of an input read
 * committed records only.
 */
export async function appendChange(
  producer: Producer,
  partitions: readonly number[],
  { topic, type, value, records = [{ [controlHeaders[type]]: value }] }: Change,
  id: string,
): Promise<void> {
  const messages = records.map((own, i) => ({
    key: null,
    value: null,
    headers: { [headers.type]: type, [CHANGE_HEADER]: records.length === 1 ? id : `${id}/${i}`, ...own },
  }));
  // One request per partition: kafkajs, retrying a request to several leaders, may report records as written that it
  // never sent (see the bridge's KafkaSender).
  for (const partition of partitions)
    for (const message of messages) await producer.send({ topic, acks: -1, messages: [{ partition, ...message }] });
}

async function tell(producer: Producer, { topic, type }: Change, record: ChangeRecord): Promise<void> {
  const message = { key: changeKey(topic, type), value: JSON.stringify(record), partition: 0 };
  await producer.send({ topic: topics.changes.name, acks: -1, messages: [message] });
}

function changeKey(topic: string, type: string): string {
  return `${topic}/${type}`;
}

/** Numbers of a topic's partitions, ascending. */
async function partitionsOf(kafka: Kafka, topic: string): Promise<number[]> {
  const admin = kafka.admin();
  await admin.connect();
  try {
    const { topics: found } = await admin.fetchTopicMetadata({ topics: [topic] });
    return found[0]!.partitions.map(({ partitionId }) => partitionId).sort((a, b) => a - b);
  } finally {
    await admin.disconnect();
  }
}

/** Runs `work` with a producer whose retries write nothing twice. */
export async function withIdempotentProducer<T>(kafka: Kafka, work: (producer: Producer) => Promise<T>): Promise<T> {
  const producer = kafka.producer({
    idempotent: true,
    maxInFlightRequests: 1,
    createPartitioner: Partitioners.DefaultPartitioner,
    allowAutoTopicCreation: false,
  });
  await producer.connect();
  try {
    return await work(producer);
  } finally {
    await producer.disconnect();
  }
}
