import type { Admin } from "kafkajs";
import { systemRuntime } from "../../adapters/runtime.ts";

const LEADER_LIMIT_MS = 60_000;
const LEADER_RETRY_MS = 100;

/** How many partitions a topic has. */
export async function partitionCount(admin: Admin, topic: string): Promise<number> {
  return (await admin.fetchTopicMetadata({ topics: [topic] })).topics[0]!.partitions.length;
}

/** Raises the partitions of these topics to at least `count`, and waits until each has a leader that answers. */
export async function createPartitions(admin: Admin, names: readonly string[], count: number): Promise<void> {
  const { topics } = await admin.fetchTopicMetadata({ topics: [...names] });
  const fewer = topics.filter(({ partitions }) => partitions.length < count);
  if (fewer.length > 0)
    await admin.createPartitions({ topicPartitions: fewer.map(({ name }) => ({ topic: name, count })) });
  const deadline = systemRuntime.now() + LEADER_LIMIT_MS;
  for (;;) {
    const missing = await topicsWithoutLeaders(admin, names, count);
    if (missing.length === 0 && (await leadersAnswer(admin, names))) return;
    if (systemRuntime.now() > deadline)
      throw new Error(
        `after ${LEADER_LIMIT_MS} ms there are not ${count} partitions with a leader of ${missing.join(", ")}`,
      );
    await systemRuntime.sleep(LEADER_RETRY_MS);
  }
}

async function topicsWithoutLeaders(admin: Admin, names: readonly string[], count: number): Promise<string[]> {
  const { topics } = await admin.fetchTopicMetadata({ topics: [...names] });
  return topics
    .filter(({ partitions }) => partitions.filter(({ leader }) => leader >= 0).length < count)
    .map(({ name }) => name);
}

/** The metadata names a leader a moment before that broker knows of it. Until then it refuses every request. */
async function leadersAnswer(admin: Admin, names: readonly string[]): Promise<boolean> {
  try {
    for (const name of names) await admin.fetchTopicOffsets(name);
    return true;
  } catch (error) {
    if ((error as { retriable?: boolean }).retriable !== true) throw error;
    return false;
  }
}
