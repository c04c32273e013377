import type { Message, TopicMessages } from "kafkajs";
import type { OutputRecord } from "../runtime/machine.ts";

/** Most bytes of a record batch, by a rough count. One send to a partition is one batch, and a broker takes 1 MB. */
const MAX_BATCH_BYTES = 900_000;
/** Bytes of a record besides key, value and headers, at most. */
const RECORD_OVERHEAD = 64;
/** Groups outputs by topic, keeping their order, into sends whose record batches stay below the broker's limit. */
export function inSends(outputs: readonly OutputRecord[]): Map<string, OutputRecord[]>[] {
  const sends: Map<string, OutputRecord[]>[] = [];
  let byTopic = new Map<string, OutputRecord[]>();
  let bytesByTopic = new Map<string, number>();
  for (const output of outputs) {
    const bytes = recordBytes(output);
    if ((bytesByTopic.get(output.topic) ?? 0) + bytes > MAX_BATCH_BYTES && byTopic.has(output.topic)) {
      sends.push(byTopic);
      byTopic = new Map();
      bytesByTopic = new Map();
    }
    const records = byTopic.get(output.topic);
    if (records) records.push(output);
    else byTopic.set(output.topic, [output]);
    bytesByTopic.set(output.topic, (bytesByTopic.get(output.topic) ?? 0) + bytes);
  }
  if (byTopic.size > 0) sends.push(byTopic);
  return sends;
}

/** `inSends` as the producer of kafkajs takes it, for the partition with this number. */
export function inBatches(outputs: readonly OutputRecord[], partition: number): TopicMessages[][] {
  return inSends(outputs).map((byTopic) =>
    Array.from(byTopic, ([topic, records]) => ({ topic, messages: messagesOf(records, partition) })),
  );
}

/** Records as the producer of kafkajs takes them, for the partition with this number. */
export function messagesOf(records: readonly OutputRecord[], partition: number): Message[] {
  return records.map(({ key, value, headers }) => ({ key: buffer(key), value: buffer(value), partition, headers }));
}

function buffer(bytes: Uint8Array | string | null): Buffer | string | null {
  return bytes instanceof Uint8Array && !Buffer.isBuffer(bytes)
    ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    : (bytes as Buffer | string | null);
}

/** Bytes of an encoded record, or a few more: text counts three bytes per UTF-16 unit, the most that UTF-8 takes. */
function recordBytes({ key, value, headers }: OutputRecord): number {
  let bytes = RECORD_OVERHEAD + (key?.length ?? 0) * 3 + (value?.length ?? 0);
  for (const name in headers) bytes += name.length + headers[name]!.length * 3 + 4;
  return bytes;
}
