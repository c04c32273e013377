import { setTimeout as delay } from "node:timers/promises";
import type { Admin, ITopicConfig } from "kafkajs";
import { topicConfig, topics, type TopicSpec } from "../domain/topics.ts";

/** A topic of Millrace in the form that `createTopics` of kafkajs takes. The cluster says how many replicas. */
export function topicToCreate(
  spec: TopicSpec,
  {
    name = spec.name,
    partitions = spec.partitions,
    replicationFactor = -1,
  }: { readonly name?: string; readonly partitions?: number; readonly replicationFactor?: number } = {},
): ITopicConfig {
  return {
    topic: name,
    numPartitions: partitions,
    replicationFactor,
    configEntries: Object.entries(topicConfig(spec)).map(([key, value]) => ({ name: key, value })),
  };
}

/** How long a new partition may take to get a leader that answers. */
const LEADING_LIMIT_MS = 30_000;

/**
 * Creates the topics of Millrace that do not exist, waits until every new partition answers, and returns the names of
 * the topics that it created.
 *
 * @throws Error of kafkajs when a partition does not answer within 30 s
 */
export async function createTopics(
  admin: Admin,
  options: { readonly specs?: readonly TopicSpec[]; readonly partitions?: number } = {},
): Promise<string[]> {
  const existing = new Set(await admin.listTopics());
  const missing = (options.specs ?? Object.values(topics)).filter(({ name }) => !existing.has(name));
  if (missing.length === 0) return [];
  await admin.createTopics({
    topics: missing.map((spec) => topicToCreate(spec, { partitions: options.partitions ?? spec.partitions })),
    // kafkajs would ask for the leaders only once, a broker that may not know of the topic yet.
    waitForLeaders: false,
  });
  for (const { name } of missing) await untilLed(admin, name);
  return missing.map(({ name }) => name);
}

/**
 * Waits until every partition of a new topic answers. The cluster's metadata name a leader before that broker knows of
 * it, and not every broker knows of the topic at once.
 *
 * @throws Error of kafkajs when a partition does not answer within 30 s
 */
export async function untilLed(admin: Admin, topic: string): Promise<void> {
  const deadline = performance.now() + LEADING_LIMIT_MS;
  for (;;) {
    try {
      await admin.fetchTopicOffsets(topic);
      return;
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await delay(50);
    }
  }
}
