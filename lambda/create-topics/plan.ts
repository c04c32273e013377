import type { TopicSpec } from "../../domain/topics.ts";

/** A topic as the cluster has it. */
export interface ExistingTopic {
  readonly partitions: number;
  readonly config: Readonly<Record<string, string>>;
}

/** Changes that give the cluster its topics. */
export interface TopicPlan {
  readonly create: readonly TopicSpec[];
  /** Topics that get more partitions: their new count. */
  readonly widen: readonly { readonly name: string; readonly partitions: number }[];
  /** Settings that differ. */
  readonly alter: readonly { readonly name: string; readonly config: Readonly<Record<string, string>> }[];
  /** Differences that only deleting data would remove. While there is one, nothing is changed. */
  readonly problems: readonly string[];
  /** Differences that stay on purpose. */
  readonly notes: readonly string[];
}

/** The settings of a topic by Kafka's names. MSK Serverless takes `cleanup.policy` at creation alone. */
export function topicConfig(spec: TopicSpec): Record<string, string> {
  return {
    "cleanup.policy": spec.cleanup,
    "message.timestamp.type": spec.timestampType,
    "max.message.bytes": String(spec.maxMessageBytes),
    "retention.ms": String(spec.retentionMs),
  };
}

/**
 * Plans what gives the cluster these topics. Topics and partitions are only ever added. A topic or a partition that is
 * no longer wanted stays: a rollback asks for fewer, and must neither fail nor lose data.
 */
export function planTopics(wanted: readonly TopicSpec[], existing: ReadonlyMap<string, ExistingTopic>): TopicPlan {
  const create: TopicSpec[] = [];
  const widen: { name: string; partitions: number }[] = [];
  const alter: { name: string; config: Record<string, string> }[] = [];
  const problems: string[] = [];
  const notes: string[] = [];
  for (const spec of wanted) {
    const topic = existing.get(spec.name);
    if (!topic) {
      create.push(spec);
      continue;
    }
    const { "cleanup.policy": cleanup, ...config } = topicConfig(spec);
    const received = topic.config["cleanup.policy"];
    if (received !== undefined && received !== cleanup)
      problems.push(
        `${spec.name} has cleanup.policy ${received}, wanted is ${cleanup}: it is fixed at creation; ` +
          "write to a topic of another name",
      );
    if (topic.partitions < spec.partitions) widen.push({ name: spec.name, partitions: spec.partitions });
    if (topic.partitions > spec.partitions)
      notes.push(
        `${spec.name} has ${topic.partitions} partitions, wanted are ${spec.partitions}: ` +
          "partitions cannot be taken away; all stay",
      );
    const differing = Object.entries(config).filter(([name, value]) => topic.config[name] !== value);
    if (differing.length > 0) alter.push({ name: spec.name, config: Object.fromEntries(differing) });
  }
  return { create, widen, alter, problems, notes };
}
