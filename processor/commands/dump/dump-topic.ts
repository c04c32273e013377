import type { Cluster } from "kafkajs";
import { MillraceError } from "../../../domain/errors.ts";
import { partitionBounds } from "../../adapters/kafka-cluster.ts";
import { fetchRecords } from "../../adapters/kafka-records.ts";
import type { InputRecord } from "../../runtime/machine.ts";
import { keyFields, valueField } from "../replay/lines.ts";

export interface DumpRange {
  /** One partition only. */
  readonly partition: number | undefined;
  /** First offset, inclusive. */
  readonly from: number;
  /** Last offset, exclusive. */
  readonly to: number;
}

/**
 * Reads a topic's committed records up to the end that it has now, partition after partition in offset order, and hands
 * over lines of NDJSON that `replay` reads.
 */
export async function dumpTopic(
  cluster: Cluster,
  topic: string,
  range: DumpRange,
  write: (lines: string) => Promise<void>,
): Promise<void> {
  await cluster.connect();
  await cluster.addTargetTopic(topic).catch((cause: unknown) => {
    throw new MillraceError(
      "arguments-invalid",
      `topic ${JSON.stringify(topic)} can't be read: ${(cause as Error).message}`,
      { cause },
    );
  });
  const partitions = cluster
    .findTopicPartitionMetadata(topic)
    .map(({ partitionId }) => partitionId)
    .sort((a, b) => a - b);
  if (range.partition !== undefined && !partitions.includes(range.partition))
    throw new MillraceError(
      "arguments-invalid",
      `${topic} has no partition ${range.partition}; it has ${partitions.length}`,
    );
  const bounds = await Promise.all(
    partitions.map(async (partition) => ({ partition, ...(await partitionBounds(cluster, topic, partition)) })),
  );
  for (const { partition, earliest, latest } of bounds) {
    if (range.partition !== undefined && partition !== range.partition) continue;
    const end = Math.min(latest, range.to);
    for (let offset = Math.max(earliest, range.from); offset < end;) {
      const { records, nextOffset } = await fetchRecords(cluster, topic, partition, offset);
      await write(
        records
          .filter((record) => record.offset < end)
          .map(inputLine)
          .join(""),
      );
      offset = nextOffset;
    }
  }
}

/** A record as a line: `{"key","timestamp","value"|"valueBase64","partition","offset","headers"}`. */
export function inputLine({ key, timestamp, value, partition, offset, headers }: InputRecord): string {
  return `{${JSON.stringify(keyFields(key)).slice(1, -1)},"timestamp":${timestamp},${valueField(value)},"partition":${partition},"offset":${offset},"headers":${JSON.stringify(headers)}}\n`;
}
