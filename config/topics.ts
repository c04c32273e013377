import { pipelineNames, pipelineOfOutput, pipelines } from "../domain/pipelines.ts";
import { topics, type TopicKey, type TopicSpec } from "../domain/topics.ts";
import type { Environment } from "./schema.ts";

type KafkaConfig = Pick<Environment["kafka"], "partitions" | "retentionMs">;
type StreamingConfig = { readonly kafka: KafkaConfig } & Pick<Environment, "processor">;

/** Topics that every pipeline writes, each record to the partition number of its input. */
const sharedOutputs: readonly TopicKey[] = ["deadLetter", "progress"];

/** Partitions and retention of one topic by the config alone; the defaults are those of `domain/topics.ts`. */
export function topicSettings(kafka: KafkaConfig, key: TopicKey): { partitions: number; retentionMs: number } {
  return {
    partitions: kafka.partitions[key] ?? topics[key].partitions,
    retentionMs: kafka.retentionMs[key] ?? topics[key].retentionMs,
  };
}

/**
 * Whether an environment has a topic. Those of a pipeline are there where it runs; those of the sensors always, because
 * every environment has devices and a bridge, which writes to their input.
 */
export function hasTopic(processor: Environment["processor"], key: TopicKey): boolean {
  const pipeline = pipelineNames.find((name) => pipelines[name].input === key) ?? pipelineOfOutput(key);
  return pipeline === undefined || pipeline === "sensor" || processor[pipeline] !== null;
}

/** Partitions of a topic. An output has those of its pipeline's input, because records keep their partition number. */
function partitionsOf({ kafka, processor }: StreamingConfig, key: TopicKey): number {
  const pipeline = pipelineOfOutput(key);
  const own = topicSettings(kafka, pipeline ? pipelines[pipeline].input : key).partitions;
  if (!sharedOutputs.includes(key)) return own;
  const inputs = pipelineNames.map((name) => pipelines[name].input).filter((input) => hasTopic(processor, input));
  return Math.max(own, ...inputs.map((input) => topicSettings(kafka, input).partitions));
}

/** The topics of an environment, as they are created: those of `domain/topics.ts` with the config's settings. */
export function environmentTopics(config: StreamingConfig): TopicSpec[] {
  return (Object.keys(topics) as TopicKey[])
    .filter((key) => hasTopic(config.processor, key))
    .map((key) => ({
      ...topics[key],
      retentionMs: topicSettings(config.kafka, key).retentionMs,
      partitions: partitionsOf(config, key),
    }));
}
