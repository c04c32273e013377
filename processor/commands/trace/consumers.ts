import type { Kafka } from "kafkajs";
import { eventSourceMappings } from "../../../domain/event-source-mappings.ts";
import { consumerGroups } from "../../../domain/names.ts";

/** Whether a function that reads a topic has taken a record. */
export interface Delivery {
  /** The function, such as `write-lake`. */
  readonly function: string;
  /** `<topic>/<partition>/<offset>`. */
  readonly place: string;
  /** Its group's committed offset is behind the record. Null: the group has none in this partition. */
  readonly taken: boolean | null;
}

/** What the functions behind Kafka (lake, stores, features) have done with records, by their groups' offsets. */
export async function deliveriesOf(kafka: Kafka, places: readonly string[]): Promise<Delivery[]> {
  const records = places.map((place) => {
    const [topic, partition, offset] = place.split("/") as [string, string, string];
    return { place, topic, partition: Number(partition), offset: Number(offset) };
  });
  const topics = new Set(records.map(({ topic }) => topic));
  const readers = eventSourceMappings.filter(
    ({ topic, consumerGroup }) => topics.has(topic) && !consumerGroup.startsWith(consumerGroups.auditOutput),
  );
  const admin = kafka.admin();
  await admin.connect();
  try {
    const found = await Promise.all(
      readers.map(async ({ functionName, topic, consumerGroup }) => {
        const [answer] = await admin.fetchOffsets({ groupId: consumerGroup, topics: [topic] });
        const next = new Map(answer?.partitions.map(({ partition, offset }) => [partition, Number(offset)]));
        return records
          .filter((record) => record.topic === topic)
          .map(({ place, partition, offset }): Delivery => {
            const committed = next.get(partition) ?? -1;
            return { function: functionName, place, taken: committed < 0 ? null : committed > offset };
          });
      }),
    );
    return found.flat();
  } finally {
    await admin.disconnect();
  }
}
