import { pipelineNames, pipelineOfOutput, pipelines } from "../domain/pipelines.ts";
import { topics, type TopicKey, type TopicSpec } from "../domain/topics.ts";
import type { Environment } from "./schema.ts";

type KafkaConfig = Pick<Environment["kafka"], "partitions" | "retentionMs">;

/** Topics that every pipeline writes, each record to the partition number of its input. */
const sharedOutputs: readonly TopicKey[] = ["deadLetter", "progress"];

/** Partitions and retention of one topic by the config alone; the defaults are those of `domain/topics.ts`. */
export function topicSettings(kafka: KafkaConfig, key: TopicKey): { partitions: number; retentionMs: number } {
  return {
    partitions: kafka.partitions[key] ?? topics[key].partitions,
    retentionMs: kafka.retentionMs[key] ?? topics[key].retentionMs,
  };
}

/** Partitions of a topic. An output has those of its pipeline's input, because records keep their partition number. */
function partitionsOf(kafka: KafkaConfig, key: TopicKey): number {
  const pipeline = pipelineOfOutput(key);
  const own = topicSettings(kafka, pipeline ? pipelines[pipeline].input : key).partitions;
  if (!sharedOutputs.includes(key)) return own;
  const inputs = pipelineNames.map((name) => topicSettings(kafka, pipelines[name].input).partitions);
  return Math.max(own, ...inputs);
}

/** The topics of an environment, as they are created: those of `domain/topics.ts` with the config's settings. */
export function environmentTopics({ kafka }: { readonly kafka: KafkaConfig }): TopicSpec[] {
  return (Object.keys(topics) as TopicKey[]).map((key) => ({
    ...topics[key],
    retentionMs: topicSettings(kafka, key).retentionMs,
    partitions: partitionsOf(kafka, key),
  }));
}
