import type { Message, TopicMessages } from "kafkajs";
import { valueLength } from "../runtime/json-output.ts";
import type { OutputRecord } from "../runtime/machine.ts";

/** Most bytes of a record batch, by a rough count. One send to a partition is one batch, and a broker takes 1 MB. */
const MAX_BATCH_BYTES = 900_000;
/** Bytes of a record besides key, value and headers, at most. */
const RECORD_OVERHEAD = 64;

/** The records of a topic in a send. */
interface TopicRecords {
  readonly topic: string;
  readonly records: OutputRecord[];
  bytes: number;
}

/** Groups outputs by topic, keeping their order, into sends whose record batches stay below the broker's limit. */
export function inSends(outputs: readonly OutputRecord[]): Map<string, OutputRecord[]>[] {
  const sends: TopicRecords[][] = [];
  let send: TopicRecords[] = [];
  // Neighbours often share their headers.
  let headers: OutputRecord["headers"] | null = null;
  let headerBytes = 0;
  for (const output of outputs) {
    if (output.headers !== headers) headerBytes = bytesOf((headers = output.headers));
    const bytes = RECORD_OVERHEAD + (output.key?.length ?? 0) * 3 + valueLength(output) + headerBytes;
    let group = groupOf(output.topic, send);
    if (group && group.bytes + bytes > MAX_BATCH_BYTES) {
      sends.push(send);
      send = [];
      group = undefined;
    }
    if (group) {
      group.records.push(output);
      group.bytes += bytes;
    } else send.push({ topic: output.topic, records: [output], bytes });
  }
  if (send.length > 0) sends.push(send);
  return sends.map((groups) => new Map(groups.map(({ topic, records }) => [topic, records])));
}

/** The group of a topic; there are a few. */
function groupOf(topic: string, groups: readonly TopicRecords[]): TopicRecords | undefined {
  for (let i = 0; i < groups.length; i++) if (groups[i]!.topic === topic) return groups[i];
  return undefined;
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

/** Bytes of encoded headers, or a few more: text counts three bytes per UTF-16 unit, the most that UTF-8 takes. */
function bytesOf(headers: OutputRecord["headers"]): number {
  let bytes = 0;
  for (const name in headers) bytes += name.length + headers[name]!.length * 3 + 4;
  return bytes;
}
