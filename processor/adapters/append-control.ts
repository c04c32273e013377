import type { Kafka } from "kafkajs";
import { MODEL_HEADER, type ModelControl } from "../../domain/models.ts";
import { controlTypes, headers, topics } from "../../domain/topics.ts";

/** Appends a `model` control record to every partition of the sensor input: to all of them, or none (one transaction). */
export async function appendModelControl(kafka: Kafka, environment: string, control: ModelControl): Promise<number> {
  const topic = topics.imuData.name;
  const admin = kafka.admin();
  await admin.connect();
  const partitions = (await admin.fetchTopicMetadata({ topics: [topic] })).topics[0]!.partitions.map(
    ({ partitionId }) => partitionId,
  );
  await admin.disconnect();
  const producer = kafka.producer({
    transactionalId: `millrace.${environment}.models`,
    maxInFlightRequests: 1,
    idempotent: true,
  });
  await producer.connect();
  try {
    const transaction = await producer.transaction();
    const record = {
      key: null,
      value: null,
      headers: { [headers.type]: controlTypes.model, [MODEL_HEADER]: JSON.stringify(control) },
    };
    // One by one: what goes to several leaders, a retry of kafkajs may report as written and never send (see the bridge's KafkaSender).
    for (const partition of partitions) await transaction.send({ topic, messages: [{ ...record, partition }] });
    await transaction.commit();
  } finally {
    await producer.disconnect();
  }
  return partitions.length;
}
