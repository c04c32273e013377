import type { Cluster } from "kafkajs";
import { MillraceError } from "../../../domain/errors.ts";
import { partitionBounds } from "../../adapters/kafka-cluster.ts";
import { fetchRecords } from "../../adapters/kafka-records.ts";
import type { LogRecord } from "../../adapters/record-batches.ts";
import { headersField, inOneLine, keyFields, valueField } from "../replay/lines.ts";

export interface DumpRange {
  /** One partition. @default all of them */
  readonly partition: number | undefined;
  /** First offset, inclusive. */
  readonly from: number;
  /** Last offset, exclusive. */
  readonly to: number;
}

/**
 * Reads a topic's committed records, partition after partition in offset order, up to the end that each has when it
 * starts. Hands over lines of NDJSON that `replay` reads.
 *
 * @throws MillraceError `arguments-invalid` for a topic or a partition that is not there
 */
export async function dumpTopic(
  cluster: Cluster,
  topic: string,
  { partition: only, from, to }: DumpRange,
  write: (lines: string) => Promise<void>,
): Promise<void> {
  const partitions = await partitionsOf(cluster, topic);
  if (only !== undefined && !partitions.includes(only))
    throw new MillraceError("arguments-invalid", `${topic} has no partition ${only}; it has ${partitions.length}`);
  const wanted = partitions.filter((partition) => only === undefined || partition === only);
  const bounds = await Promise.all(wanted.map((partition) => partitionBounds(cluster, topic, partition)));
  for (const [i, { earliest, latest }] of bounds.entries()) {
    const end = Math.min(latest, to);
    for (let offset = Math.max(earliest, from); offset < end;) {
      const { records, nextOffset } = await fetchRecords(cluster, topic, wanted[i]!, offset);
      const inRange = records.filter((record) => record.offset < end);
      await write(inRange.map(inputLine).join(""));
      offset = nextOffset;
    }
  }
}

async function partitionsOf(cluster: Cluster, topic: string): Promise<number[]> {
  await cluster.connect();
  try {
    await cluster.addTargetTopic(topic);
  } catch (cause) {
    const message = `topic ${JSON.stringify(topic)} can't be read: ${(cause as Error).message}`;
    throw new MillraceError("arguments-invalid", message, { cause });
  }
  const metadata = cluster.findTopicPartitionMetadata(topic);
  return metadata.map(({ partitionId }) => partitionId).sort((a, b) => a - b);
}

/** What a line holds of a record. */
export type DumpedRecord = Pick<LogRecord, "key" | "timestamp" | "value" | "partition" | "offset" | "recordHeaders">;

/** A record as a line: `{"key","timestamp","value"|"valueBase64","partition","offset","headers"}`. */
export function inputLine({ key, timestamp, value, partition, offset, recordHeaders }: DumpedRecord): string {
  const keyPart = inOneLine(JSON.stringify(keyFields(key)).slice(1, -1));
  const position = `"partition":${partition},"offset":${offset}`;
  const headersPart = inOneLine(headersField(recordHeaders));
  return `{${keyPart},"timestamp":${timestamp},${valueField(value)},${position},${headersPart}}\n`;
}
