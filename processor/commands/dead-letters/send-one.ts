import type { Cluster, Kafka } from "kafkajs";
import { withIdempotentProducer } from "../../../adapters/control-records.ts";
import { partitionsOf } from "../../../adapters/read-partition.ts";
import type { LetterRequest, LetterSent } from "../../../domain/ops.ts";
import { topics } from "../../../domain/topics.ts";
import { letterAt } from "./letter-at.ts";
import { letterOf } from "./letters.ts";
import { letterName, recordOfLetter } from "./record-of-letter.ts";
import { sendRecord } from "./send-record.ts";
import { sentLetters, sentRecord } from "./sent-letters.ts";

export type SendOneResult =
  | { readonly kind: "sent"; readonly record: LetterSent }
  | { readonly kind: "absent" | "refused"; readonly why: string };

/**
 * Sends one dead letter in again, by the rules of `sendAgain`, and notes the request's key with it. The same request
 * again, of whichever process, gets the record that was sent; another one is refused.
 *
 * @throws Error when Kafka does not answer: the letter may have been sent, and the same key finishes it
 */
export async function sendOne(
  kafka: Kafka,
  cluster: Cluster,
  { id, log: { partition, offset } }: Omit<LetterRequest, "action">,
  key: string,
): Promise<SendOneResult> {
  await partitionsOf(cluster, topics.progress.name);
  const letter = await letterAt(cluster, partition, offset);
  const name = letterName({ partition, offset });
  if (letter === null) return { kind: "absent", why: `there is no ${name} (any more): letters are kept for 30 days` };
  const found = letterOf(letter);
  if (found.id !== id) return { kind: "absent", why: `${name} is ${found.id}, not ${id}: read the letter again` };
  const record = recordOfLetter(letter);
  if (record.kind === "impossible") return { kind: "refused", why: `it can't be sent again: ${record.why}` };
  const sent = (await sentLetters(cluster, partition, letter.timestamp)).get(name);
  if (sent?.record && sent.key === key) return { kind: "sent", record: sent.record };
  if (sent) {
    const where = sent.record ? `, as ${sent.record.topic}/${sent.record.partition}/${sent.record.offset}` : "";
    return { kind: "refused", why: `it was sent again before${where}` };
  }
  return withIdempotentProducer(kafka, async (producer) => {
    const place = await sendRecord(producer, record);
    await producer.send({ topic: topics.progress.name, messages: [sentRecord(letter, place, key)] });
    return { kind: "sent", record: place };
  });
}
