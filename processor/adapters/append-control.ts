import type { Kafka } from "kafkajs";
import { MODEL_HEADER, type ModelControl } from "../../domain/models.ts";
import { pipelines, type PipelineName } from "../../domain/pipelines.ts";
import { controlTypes, headers, topics } from "../../domain/topics.ts";

/**
 * Appends a `model` control record to every partition of a pipeline's input. One transaction: to all of them or to
 * none.
 *
 * @returns The number of partitions.
 */
export async function appendModelControl(
  kafka: Kafka,
  environment: string,
  pipeline: PipelineName,
  control: ModelControl,
): Promise<number> {
  const topic = topics[pipelines[pipeline].input].name;
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
    // One request per partition: kafkajs, retrying a request to several leaders, may report records as written that it
    // never sent (see the bridge's KafkaSender).
    for (const partition of partitions) await transaction.send({ topic, messages: [{ ...record, partition }] });
    await transaction.commit();
  } finally {
    await producer.disconnect();
  }
  return partitions.length;
}
