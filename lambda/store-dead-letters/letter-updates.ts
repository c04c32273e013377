import { isUtf8 } from "node:buffer";
import { readLetter } from "../../domain/dead-letters.ts";
import type { Milliseconds } from "../../domain/time.ts";
import { headers as headerNames } from "../../domain/topics.ts";
import type { KafkaRecord } from "../shared/kafka-event.ts";
import { PAYLOAD_BYTES, type DeadLetterDocument, type RejectedDocument } from "../shared/letter-documents.ts";
import { MergedUpdates } from "../shared/merged-updates.ts";
import type { UpdateOne } from "../shared/mongo.ts";
import { rankOf, revised, valueOf } from "../shared/revised.ts";

/** The document of a record of the topic of dead letters. It expires `keepMs` after the record. */
export function letterDocument(record: KafkaRecord, keepMs: Milliseconds): DeadLetterDocument {
  const { partition, offset, timestamp, value, headers } = record;
  const { id, ...letter } = readLetter(record);
  const fullSize = Number(headers[headerNames.fullSize]);
  return {
    _id: id,
    ...letter,
    partition,
    offset,
    bytes: Number.isSafeInteger(fullSize) ? fullSize : (value?.length ?? null),
    payload: value === null ? null : payloadOf(value.subarray(0, PAYLOAD_BYTES)),
    expireAt: new Date(timestamp + keepMs),
  };
}

/** As text where the bytes are UTF-8; where they may be cut, the last character may be. */
function payloadOf(bytes: Buffer): NonNullable<DeadLetterDocument["payload"]> {
  const leftOut = bytes.length < PAYLOAD_BYTES ? [0] : [0, 1, 2, 3];
  const isText = leftOut.some((cut) => isUtf8(bytes.subarray(0, bytes.length - cut)));
  return isText
    ? { encoding: "text", content: bytes.toString("utf8") }
    : { encoding: "base64", content: bytes.toString("base64") };
}

/** The updates that write documents. Copies of a letter differ in their place in the log alone. */
export function letterUpdates(documents: readonly DeadLetterDocument[]): UpdateOne<DeadLetterDocument>[] {
  const updates = new MergedUpdates<DeadLetterDocument>();
  for (const { _id, ...fields } of documents)
    for (const [name, value] of Object.entries(fields)) updates.set(_id, name, value);
  return updates.all;
}

/**
 * The updates that count letters of sensors. A letter counts where what it is of is beyond the last one that is
 * counted: the record that was refused, in its partition, or the letter itself where the bridge has refused a message.
 * So a letter that is delivered or, after a kill, written again changes nothing.
 *
 * @param known The documents of these sensors.
 */
export function rejectedUpdates(
  documents: readonly DeadLetterDocument[],
  known: ReadonlyMap<string, Pick<RejectedDocument, "letters">>,
): UpdateOne<RejectedDocument>[] {
  const updates = new MergedUpdates<RejectedDocument>();
  const counted = new Map<string, { offset: number; count: number }>();
  const places = documents.map(({ source, partition, offset, ...letter }) => ({
    ...letter,
    log: source === null ? String(partition) : `${source.topic}/${source.partition}`,
    offset: source === null ? offset : source.offset,
  }));
  for (const { sensorId, log, offset, at, expireAt } of places.toSorted((a, b) => a.offset - b.offset)) {
    if (sensorId === null) continue;
    const key = `${sensorId}/${log}`;
    const stored = known.get(sensorId)?.letters[log];
    const before = counted.get(key) ?? {
      offset: stored === undefined ? -1 : rankOf(stored),
      count: stored === undefined ? 0 : valueOf<number>(stored),
    };
    if (offset <= before.offset) continue;
    const now = { offset, count: before.count + 1 };
    counted.set(key, now);
    updates.max(sensorId, `letters.${log}`, revised([now.offset], now.count));
    updates.max(sensorId, "at", at);
    updates.max(sensorId, "expireAt", expireAt);
  }
  return updates.all;
}
