import type { MSKEvent, MSKRecord } from "aws-lambda";
import { jsonBytes } from "../../adapters/json-length.ts";
import type { BatchResponse } from "../../domain/api.ts";
import type { RecordHeaders } from "../../domain/record-headers.ts";

/** A Kafka record on its way to a function. */
export interface KafkaRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly timestampMs: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: RecordHeaders;
}

export const CLUSTER_ARN = "arn:aws:kafka:us-east-1:000000000000:cluster/local/00000000-0000-0000-0000-000000000000-s1";

export const partitionName = (topic: string, partition: number): string => `${topic}-${partition}`;

/** Lambda's event for records, as in "Using Lambda with Amazon MSK". Absent keys and values are left out. */
export function mskEvent(records: readonly KafkaRecord[], brokers: string, timestampType: string): MSKEvent {
  const byPartition: Record<string, MSKRecord[]> = {};
  for (const { topic, partition, offset, timestampMs, key, value, headers } of records) {
    (byPartition[partitionName(topic, partition)] ??= []).push({
      topic,
      partition,
      offset,
      timestamp: timestampMs,
      timestampType: timestampType as MSKRecord["timestampType"],
      ...(key === null ? {} : { key: base64(key) }),
      ...(value === null ? {} : { value: base64(value) }),
      headers: headers.map(([name, bytes]) => ({ [name]: bytes === null ? null : numbers(bytes) })),
    } as MSKRecord);
  }
  return { eventSource: "aws:kafka", eventSourceArn: CLUSTER_ARN, bootstrapServers: brokers, records: byPartition };
}

/** As `[...bytes]`, which takes several times as long. */
function numbers(bytes: Uint8Array): number[] {
  const values = Array<number>(bytes.length);
  for (let i = 0; i < bytes.length; i++) values[i] = bytes[i]!;
  return values;
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
}

/** Bytes of a record's fixed fields in the event's JSON, rounded up. */
const RECORD_OVERHEAD = 160;

/** Bytes of a record in the event's JSON, rounded up. */
export function eventBytes({ topic, key, value, headers }: KafkaRecord): number {
  const base64Bytes = (bytes: Uint8Array | null): number => Math.ceil((bytes?.length ?? 0) / 3) * 4;
  return (
    RECORD_OVERHEAD +
    topic.length +
    base64Bytes(key) +
    base64Bytes(value) +
    headers.reduce((sum, [name, bytes]) => sum + jsonBytes(name) + 8 + (bytes?.length ?? 0) * 4, 0)
  );
}

/**
 * Reads a function's response. Returns, by partition name, the offset from which the partition must be delivered again;
 * an empty map means success. Returns null when the function reports a record that was not in the batch: Lambda then
 * considers the whole batch failed.
 */
export function failedFrom(response: unknown, records: readonly KafkaRecord[]): Map<string, number> | null {
  const failures = (response as BatchResponse | null | undefined)?.batchItemFailures;
  const from = new Map<string, number>();
  if (failures === undefined || failures === null) return from;
  if (!Array.isArray(failures)) return null;
  if (failures.length === 0) return from;
  const sent = new Set(records.map(({ topic, partition, offset }) => `${partitionName(topic, partition)}/${offset}`));
  for (const failure of failures as readonly (BatchResponse["batchItemFailures"][number] | null)[]) {
    const { partition, offset } = failure?.itemIdentifier ?? {};
    if (partition === undefined || offset === undefined || !sent.has(`${partition}/${offset}`)) return null;
    from.set(partition, Math.min(from.get(partition) ?? offset, offset));
  }
  return from;
}
