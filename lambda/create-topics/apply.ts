import kafkajs, { type Admin } from "kafkajs";
import { untilLed } from "../../adapters/kafka-topics.ts";
import type { TopicSpec } from "../../domain/topics.ts";
import { planTopics, topicConfig, type ExistingTopic, type TopicPlan } from "./plan.ts";

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
 * Gives the cluster these topics: creates missing ones, adds partitions, and changes settings that differ. A second run
 * changes nothing.
 *
 * @throws Error before anything is changed, when a topic would have to be deleted; it names every such topic
 */
export async function applyTopics(
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
      topics: plan.create.map((spec) => ({
        topic: spec.name,
        numPartitions: spec.partitions,
        replicationFactor,
        configEntries: Object.entries(topicConfig(spec)).map(([name, value]) => ({ name, value })),
      })),
    });
    for (const { name } of plan.create) await untilLed(admin, name);
  }
  if (plan.widen.length > 0)
    await admin.createPartitions({
      topicPartitions: plan.widen.map(({ name, partitions }) => ({ topic: name, count: partitions })),
    });
  if (plan.alter.length > 0) {
    // AlterConfigs replaces all settings of a topic, so the request has those that stay as well.
    const altered = new Set(plan.alter.map(({ name }) => name));
    await admin.alterConfigs({
      validateOnly: false,
      resources: wanted
        .filter(({ name }) => altered.has(name))
        .map((spec) => ({
          type: kafkajs.ConfigResourceTypes.TOPIC,
          name: spec.name,
          configEntries: Object.entries(topicConfig(spec)).map(([name, value]) => ({ name, value })),
        })),
    });
  }
  return plan;
}
