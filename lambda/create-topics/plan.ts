import type { TopicSpec } from "../../domain/topics.ts";

/** What the cluster says of a topic. */
export interface ExistingTopic {
  readonly partitions: number;
  readonly config: Readonly<Record<string, string>>;
}

export interface TopicPlan {
  readonly create: readonly TopicSpec[];
  /** Topics that get more partitions: their new count. */
  readonly widen: readonly { readonly name: string; readonly partitions: number }[];
  /** Settings that differ. */
  readonly alter: readonly { readonly name: string; readonly config: Readonly<Record<string, string>> }[];
  /** What can't be done without deleting data; nothing is changed while there is one. */
  readonly problems: readonly string[];
  /** What is left as it is, on purpose. */
  readonly notes: readonly string[];
}

/** The settings of a topic in Kafka's names. `cleanup.policy` can only be given at creation on MSK Serverless. */
export function topicConfig(spec: TopicSpec): Record<string, string> {
  return {
    "cleanup.policy": spec.cleanup,
    "message.timestamp.type": spec.timestampType,
    "max.message.bytes": String(spec.maxMessageBytes),
    "retention.ms": String(spec.retentionMs),
  };
}

/**
 * What to do so that the cluster has these topics. Topics and partitions are only ever added: a topic that is no longer
 * wanted stays, and so does a partition (a rollback asks for fewer, and must not fail or lose data).
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
        `${spec.name} has cleanup.policy ${received}, wanted is ${cleanup}: it is fixed at creation; write to a topic of another name`,
      );
    if (topic.partitions < spec.partitions) widen.push({ name: spec.name, partitions: spec.partitions });
    if (topic.partitions > spec.partitions)
      notes.push(
        `${spec.name} has ${topic.partitions} partitions, wanted are ${spec.partitions}: partitions cannot be taken away; all stay`,
      );
    const differing = Object.entries(config).filter(([name, value]) => topic.config[name] !== value);
    if (differing.length > 0) alter.push({ name: spec.name, config: Object.fromEntries(differing) });
  }
  return { create, widen, alter, problems, notes };
}
