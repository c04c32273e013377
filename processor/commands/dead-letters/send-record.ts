import type { Producer } from "kafkajs";
import type { LetterSent } from "../../../domain/ops.ts";
import type { RecordOfLetter } from "./record-of-letter.ts";

/**
 * Appends the record of a letter, and says where it is.
 *
 * One request per record. A batch to a partition may not exceed 1 MB, and kafkajs, retrying a request to several
 * leaders, may report as written what it never sent (see the bridge's KafkaSender). Speed is no concern here.
 */
export async function sendRecord(
  producer: Producer,
  { topic, key, value, headers, partition }: RecordOfLetter,
): Promise<LetterSent> {
  const message = { key: buffer(key), value: buffer(value), headers };
  const [written] = await producer.send({
    topic,
    messages: [partition === undefined ? message : { ...message, partition }],
  });
  if (written?.baseOffset === undefined) throw new Error(`Kafka did not say where in ${topic} the record is`);
  return { topic, partition: written.partition, offset: Number(written.baseOffset) };
}

function buffer(bytes: Uint8Array | null): Buffer | null {
  return bytes === null ? null : Buffer.from(bytes);
}
