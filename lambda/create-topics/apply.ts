import kafkajs, { type Admin, type Kafka } from "kafkajs";
import { alterTopics } from "../../adapters/alter-topics.ts";
import { topicToCreate, untilLed } from "../../adapters/kafka-topics.ts";
import type { TopicSpec } from "../../domain/topics.ts";
import { planTopics, type ExistingTopic, type TopicPlan } from "./plan.ts";

/** Reads partitions and settings of those of these topics that the cluster has. */
export async function readTopics(admin: Admin, names: readonly string[]): Promise<Map<string, ExistingTopic>> {
  const present = new Set(await admin.listTopics());
  const known = names.filter((name) => present.has(name));
  if (known.length === 0) return new Map();
  const { topics } = await admin.fetchTopicMetadata({ topics: known });
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: known.map((name) => ({ type: kafkajs.ConfigResourceTypes.TOPIC, name })),
  });
  const configs = new Map(
    resources.map(({ resourceName, configEntries }) => [
      resourceName,
      Object.fromEntries(configEntries.map(({ configName, configValue }) => [configName, configValue])),
    ]),
  );
  return new Map(
    topics.map(({ name, partitions }) => [name, { partitions: partitions.length, config: configs.get(name) ?? {} }]),
  );
}

/**
 * Gives the cluster these topics: creates missing ones, and changes settings that differ. A second run changes nothing.
 *
 * @throws Error before anything is changed, when a topic would have to be deleted or widened; it names every such topic
 */
export async function applyTopics(
  kafka: Kafka,
  admin: Admin,
  wanted: readonly TopicSpec[],
  replicationFactor = -1,
): Promise<TopicPlan> {
  const plan = planTopics(
    wanted,
    await readTopics(
      admin,
      wanted.map(({ name }) => name),
    ),
  );
  if (plan.problems.length > 0) throw new Error(`topics can't be made as wanted: ${plan.problems.join("; ")}`);
  if (plan.create.length > 0) {
    await admin.createTopics({
      waitForLeaders: false,
      topics: plan.create.map((spec) => topicToCreate(spec, { replicationFactor })),
    });
    for (const { name } of plan.create) await untilLed(admin, name);
  }
  if (plan.alter.length > 0) await alterTopics(kafka, plan.alter);
  return plan;
}
