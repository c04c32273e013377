import { ConfigResourceTypes, type Admin } from "kafkajs";
import type { TopicSpec } from "../../domain/topics.ts";
import { planTopics, topicConfig, type ExistingTopic, type TopicPlan } from "./plan.ts";

/** Reads what the cluster has of these topics: their partitions and settings. */
export async function readTopics(admin: Admin, names: readonly string[]): Promise<Map<string, ExistingTopic>> {
  const present = new Set(await admin.listTopics());
  const known = names.filter((name) => present.has(name));
  if (known.length === 0) return new Map();
  const { topics } = await admin.fetchTopicMetadata({ topics: known });
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: known.map((name) => ({ type: ConfigResourceTypes.TOPIC, name })),
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
 * Makes the cluster have these topics: creates what is missing, widens, and sets what differs. Run again, it does
 * nothing.
 *
 * @throws Error that names every topic that can't be had without deleting data, before anything was changed
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
      waitForLeaders: true,
      topics: plan.create.map((spec) => ({
        topic: spec.name,
        numPartitions: spec.partitions,
        replicationFactor,
        configEntries: Object.entries(topicConfig(spec)).map(([name, value]) => ({ name, value })),
      })),
    });
  }
  if (plan.widen.length > 0)
    await admin.createPartitions({
      topicPartitions: plan.widen.map(({ name, partitions }) => ({ topic: name, count: partitions })),
    });
  if (plan.alter.length > 0) {
    // AlterConfigs replaces all of a topic's settings, so all are sent, not those that differ.
    const altered = new Set(plan.alter.map(({ name }) => name));
    await admin.alterConfigs({
      validateOnly: false,
      resources: wanted
        .filter(({ name }) => altered.has(name))
        .map((spec) => ({
          type: ConfigResourceTypes.TOPIC,
          name: spec.name,
          configEntries: Object.entries(topicConfig(spec)).map(([name, value]) => ({ name, value })),
        })),
    });
  }
  return plan;
}
