import { topicConfig, type TopicSpec } from "../../domain/topics.ts";

/** A topic as the cluster has it. */
export interface ExistingTopic {
  readonly partitions: number;
  readonly config: Readonly<Record<string, string>>;
}

/** Changes that give the cluster its topics. */
export interface TopicPlan {
  readonly create: readonly TopicSpec[];
  /** Settings that differ. */
  readonly alter: readonly { readonly name: string; readonly config: Readonly<Record<string, string>> }[];
  /** Differences that only deleting or moving data would remove. While there is one, nothing is changed. */
  readonly problems: readonly string[];
  /** Differences that stay on purpose. */
  readonly notes: readonly string[];
}

/**
 * Plans what gives the cluster these topics. Topics are only ever added, and partitions never: keys would go to other
 * partitions than their state is in. A topic or a partition that is no longer wanted stays: a rollback asks for fewer,
 * and must neither fail nor lose data.
 */
export function planTopics(wanted: readonly TopicSpec[], existing: ReadonlyMap<string, ExistingTopic>): TopicPlan {
  const create: TopicSpec[] = [];
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
    if (topic.partitions < spec.partitions)
      problems.push(
        `${spec.name} has ${topic.partitions} partitions, wanted are ${spec.partitions}: keys would move ` +
          "without their state; widen it by `npm run rescale`, which moves both, and deploy then (docs/rescale.md)",
      );
    if (topic.partitions > spec.partitions)
      notes.push(
        `${spec.name} has ${topic.partitions} partitions, wanted are ${spec.partitions}: ` +
          "partitions cannot be taken away; all stay",
      );
    const differing = Object.entries(config).filter(([name, value]) => topic.config[name] !== value);
    if (differing.length > 0) alter.push({ name: spec.name, config: Object.fromEntries(differing) });
  }
  return { create, alter, problems, notes };
}
