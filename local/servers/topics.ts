import type { Admin, ITopicConfig } from "kafkajs";
import { topics, type TopicSpec } from "../../domain/topics.ts";

/** What `createTopics` of kafkajs takes for one topic of Millrace, on a single broker. */
export function topicConfig(spec: TopicSpec, name = spec.name, partitions = spec.partitions): ITopicConfig {
  return {
    topic: name,
    numPartitions: partitions,
    replicationFactor: 1,
    configEntries: [
      { name: "cleanup.policy", value: spec.cleanup },
      { name: "retention.ms", value: String(spec.retentionMs) },
      { name: "message.timestamp.type", value: spec.timestampType },
      { name: "max.message.bytes", value: String(spec.maxMessageBytes) },
    ],
  };
}

/** Creates the topics of Millrace that are not there yet, and returns the names of those it created. */
export async function createTopics(admin: Admin, options: { readonly specs?: readonly TopicSpec[]; readonly partitions?: number } = {}): Promise<string[]> {
  const existing = new Set(await admin.listTopics());
  const missing = (options.specs ?? Object.values(topics)).filter(({ name }) => !existing.has(name));
  if (missing.length > 0) await admin.createTopics({ topics: missing.map((spec) => topicConfig(spec, spec.name, options.partitions ?? spec.partitions)), waitForLeaders: true });
  return missing.map(({ name }) => name);
}
