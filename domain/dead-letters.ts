import type { DeadLetterCode } from "./errors.ts";
import { codePoints, imuLimits, SENSOR_ID } from "./imu.ts";
import { SYMBOL } from "./market.ts";
import { topicOfLog } from "./names.ts";
import { newPackedImuHeader, packedImu, readPackedImuHeader } from "./packed-imu.ts";
import type { EpochMs } from "./time.ts";
import { contentTypes, headers as headerNames, topics } from "./topics.ts";

/** A record of the dead-letter topic, as its readers get it. */
export interface LetterRecord {
  readonly partition: number;
  readonly offset: number;
  /** Epoch ms. */
  readonly timestamp: EpochMs;
  readonly key: string | null;
  readonly headers: Readonly<Record<string, string | undefined>>;
}

/** What a dead letter says of itself. */
export interface Letter {
  /** Its source's id with `/0`; a hash where the bridge has made it. Copies of a letter have the same. */
  readonly id: string;
  /** When it was written, epoch ms. */
  readonly at: EpochMs;
  readonly code: string;
  readonly message: string;
  readonly stage: string;
  /** Null where the record is not about a sensor, or names none by a valid id. */
  readonly sensorId: string | null;
  /** Null where the record is not about a symbol, or names none by a valid name. */
  readonly symbol: string | null;
  /** Log, partition and offset of the record that it was; null where the bridge has made it. */
  readonly source: { readonly topic: string; readonly partition: number; readonly offset: number } | null;
  /** Where the bridge has made it: the MQTT topic, as received. */
  readonly mqttTopic: string | null;
  readonly contentType: string | null;
  readonly traceparent: string | null;
}

/** Reads the headers of a dead letter. What is missing is null or empty: foreign producers may write any record. */
export function readLetter({ partition, offset, timestamp, key, headers }: LetterRecord): Letter {
  const source = sourceOf(headers);
  const topic = source === null ? null : topicOfLog(source.topic);
  const isOfBridge = headers[headerNames.stage] === "bridge";
  const ofSensors = isOfBridge || topic === topics.imuData.name;
  return {
    id: idOf(source, headers) ?? `${topics.deadLetter.name}/${partition}/${offset}`,
    at: timestamp,
    code: headers[headerNames.errorCode] ?? "",
    message: headers[headerNames.errorMessage] ?? "",
    stage: headers[headerNames.stage] ?? "",
    sensorId: ofSensors && key !== null && SENSOR_ID.test(key) ? key : null,
    symbol: topic === topics.trades.name && key !== null && SYMBOL.test(key) ? key : null,
    source,
    mqttTopic: headers[headerNames.mqttTopic] ?? null,
    contentType: headers[headerNames.contentType] ?? null,
    traceparent: headers[headerNames.traceparent] ?? null,
  };
}

function sourceOf(headers: LetterRecord["headers"]): Letter["source"] {
  const topic = headers[headerNames.sourceTopic];
  const [partition, offset] = [headers[headerNames.sourcePartition], headers[headerNames.sourceOffset]].map(Number);
  if (topic === undefined || !Number.isSafeInteger(partition) || !Number.isSafeInteger(offset)) return null;
  return { topic, partition: partition!, offset: offset! };
}

function idOf(source: Letter["source"], headers: LetterRecord["headers"]): string | undefined {
  return source === null ? headers[headerNames.letterId] : `${source.topic}/${source.partition}/${source.offset}/0`;
}

/** What a device knows a message by; null where the payload does not say it. */
export interface MessageNumber {
  readonly seq: number | null;
  readonly boot: string | null;
}

const UNKNOWN: MessageNumber = { seq: null, boot: null };
const utf8 = new TextDecoder("utf-8", { fatal: true });

/** `seq` and `boot` of a payload of readings that was refused, as far as they can be read. */
export function messageNumberOf(payload: Uint8Array | null, contentType: string | null): MessageNumber {
  if (payload === null || payload.length > imuLimits.payloadBytes) return UNKNOWN;
  try {
    return contentType === contentTypes.imuPacked ? numberOfPacked(payload) : numberOfJson(payload);
  } catch {
    return UNKNOWN;
  }
}

function numberOfJson(payload: Uint8Array): MessageNumber {
  const parsed: unknown = JSON.parse(utf8.decode(payload));
  const { seq, boot } = (parsed ?? {}) as { seq?: unknown; boot?: unknown };
  return {
    seq: validSeq(seq),
    boot: typeof boot === "string" && codePoints(boot) <= imuLimits.bootLength ? boot : null,
  };
}

function numberOfPacked(payload: Uint8Array): MessageNumber {
  const header = newPackedImuHeader();
  if (readPackedImuHeader(new DataView(payload.buffer, payload.byteOffset, payload.length), header)) return UNKNOWN;
  const from = packedImu.offsets.boot;
  const boot = header.bootLength < 0 ? null : utf8.decode(payload.subarray(from, from + header.bootLength));
  return { seq: validSeq(header.seq), boot };
}

function validSeq(seq: unknown): number | null {
  return Number.isSafeInteger(seq) && (seq as number) >= 0 ? (seq as number) : null;
}

/** What whoever sent a record can do after it was refused with this code. */
export const deadLetterAdvice: Readonly<Record<DeadLetterCode, string>> = {
  "invalid-sensor-id": "Publish to imu/{sensorId} with a sensor id of 1 to 128 of A-Z a-z 0-9 : _ -.",
  "invalid-symbol": "Give the trade a symbol of 1 to 32 of A-Z 0-9 . : _ -, the same as the record's key.",
  "payload-too-large": "Put fewer samples into a message: at most 128 KB and 1,000 samples.",
  "refused-by-kafka": "An operator looks at the message of this letter: the record's size or form is not the topic's.",
  "unknown-content-type": "Send application/json, or application/x-millrace-imu for the packed form.",
  "invalid-json": "Send one JSON object in UTF-8. NaN, Infinity and trailing commas are not JSON.",
  "invalid-packed": "Compare the message with the packed format's layout and its test vectors.",
  "invalid-message": "Correct the field that the message of this letter names.",
  "out-of-range": "Send m/s² (at most 320) and rad/s (at most 70), as finite numbers.",
  "too-many-samples": "Put at most 1,000 samples into a message.",
  "event-from-the-future": "Set the device's clock: its samples are ahead of the time at which they arrived.",
  "event-too-old": "Set the device's clock, or let an operator send older readings in by a replay.",
  "sequence-unknown": "Give each start of the device a new boot, and count seq up from there.",
  "sequence-reused": "Give each start of the device a new boot: this seq was used for other samples.",
  "identity-reused": "Give each trade an id of its own.",
  "model-refused": "An operator publishes the model again, and assigns it: the models before it continue to score.",
  "processing-failed": "Nothing is wrong with the record as far as we know. An operator sends it again after a fix.",
  "state-failed": "What the sensor had open is lost. An operator reports it with the message of this letter.",
  "output-too-large": "An operator raises the topic's largest message, or the sender puts less into a message.",
};
