import type { Kafka } from "kafkajs";
import { type PipelineName, pipelines } from "../../domain/pipelines.ts";
import { topics } from "../../domain/topics.ts";
import { eventually } from "../support/eventually.ts";

/**
 * Resolves when each partition has committed everything that its log has now. Partitions without outputs commit every
 * ten seconds.
 *
 * @throws Error with the partitions that are behind, after `limitMs`
 */
export async function untilProcessed(kafka: Kafka, limitMs: number, pipeline: PipelineName): Promise<void> {
  const { input, consumerGroup: groupId } = pipelines[pipeline];
  const topic = topics[input].name;
  const admin = kafka.admin({ retry: { retries: 2 } });
  await admin.connect();
  try {
    const ends = await eventually(() => admin.fetchTopicOffsets(topic), { limitMs });
    const behind = async (): Promise<string[]> => {
      const [group] = await admin.fetchOffsets({ groupId, topics: [topic] });
      const committed = new Map(group!.partitions.map(({ partition, offset }) => [partition, Number(offset)]));
      return ends.flatMap(({ partition, high }) =>
        (committed.get(partition) ?? -1) < Number(high) ? [`${partition}: ${committed.get(partition)} of ${high}`] : [],
      );
    };
    await eventually(behind, { until: (partitions) => partitions.length === 0, limitMs, pauseMs: 500 });
  } finally {
    await admin.disconnect();
  }
}
