import { createRequire } from "node:module";
import type { Cluster, IHeaders, KafkaMessage } from "kafkajs";
import type { InputRecord } from "../path/machine.ts";

/** What a broker answers for one partition of a fetch, as kafkajs decodes it. */
export interface FetchedPartition {
  readonly partition: number;
  readonly highWatermark: string;
  readonly messages: readonly { readonly offset: string }[];
}

/** kafkajs' batch: drops control records, aborted transactions and offsets below the one asked for. */
interface FetchedBatch {
  readonly messages: readonly KafkaMessage[];
  readonly rawMessages: readonly { readonly offset: string }[];
}
type BatchConstructor = new (topic: string, fetchOffset: string, partition: FetchedPartition) => FetchedBatch;
const Batch = createRequire(import.meta.url)("kafkajs/src/consumer/batch.js") as BatchConstructor;

const NO_HEADERS: Readonly<Record<string, string>> = Object.freeze({});

/** A record as kafkajs decoded it; headers become text when they are asked for. */
class KafkaRecord implements InputRecord {
  readonly partition: number;
  readonly offset: number;
  readonly timestamp: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly #raw: IHeaders | undefined;
  #headers: Readonly<Record<string, string>> | null = null;

  constructor(partition: number, message: KafkaMessage) {
    this.partition = partition;
    this.offset = Number(message.offset);
    this.timestamp = Number(message.timestamp);
    this.key = message.key;
    this.value = message.value;
    this.#raw = message.headers;
  }

  get headers(): Readonly<Record<string, string>> {
    return (this.#headers ??= headerText(this.#raw));
  }
}

/** Header values as UTF-8 text; of a header that is given several times the last counts, as in Kafka's `lastHeader`. */
function headerText(raw: IHeaders | undefined): Readonly<Record<string, string>> {
  if (!raw) return NO_HEADERS;
  let result: Record<string, string> | null = null;
  for (const name in raw) {
    const given = raw[name];
    const value = Array.isArray(given) ? given.at(-1) : given;
    if (value === undefined) continue;
    (result ??= {})[name] = String(value);
  }
  return result ?? NO_HEADERS;
}

/**
 * The records of a fetched partition from `fetchOffset` on, and the offset to fetch next: behind everything
 * that came, control records and aborted transactions included.
 */
export function fetchedRecords(topic: string, fetchOffset: number, partition: FetchedPartition): { records: InputRecord[]; nextOffset: number } {
  const batch = new Batch(topic, String(fetchOffset), partition);
  const last = batch.rawMessages.at(-1);
  return {
    records: batch.messages.map((message) => new KafkaRecord(partition.partition, message)),
    nextOffset: last ? Math.max(fetchOffset, Number(last.offset) + 1) : fetchOffset,
  };
}

const READ_COMMITTED = 1;
const FETCH_BYTES = 1_048_576;
const FETCH_WAIT_MS = 100;

/**
 * One fetch of committed records of one partition. Open transactions hold it up: then it gives none.
 * @throws when the topic has no such partition, or the broker can't be reached.
 */
export async function fetchRecords(cluster: Cluster, topic: string, partition: number, fetchOffset: number): Promise<{ records: InputRecord[]; nextOffset: number }> {
  await cluster.refreshMetadataIfNecessary();
  const node = Object.keys(cluster.findLeaderForPartitions(topic, [partition]))[0];
  if (node === undefined) throw new Error(`${topic} has no partition ${partition}`);
  const broker = await cluster.findBroker({ nodeId: node });
  const topics = [{ topic, partitions: [{ partition, fetchOffset: String(fetchOffset), maxBytes: FETCH_BYTES }] }];
  const answer = (await broker.fetch({ maxWaitTime: FETCH_WAIT_MS, minBytes: 1, maxBytes: FETCH_BYTES, isolationLevel: READ_COMMITTED, topics })) as { responses: { partitions: FetchedPartition[] }[] };
  const fetched = answer.responses[0]?.partitions[0];
  return fetched ? fetchedRecords(topic, fetchOffset, fetched) : { records: [], nextOffset: fetchOffset };
}
