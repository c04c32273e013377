import { createHash } from "node:crypto";
import type { DeadLetterCode } from "../domain/errors.ts";
import { imuLimits, MQTT_TOPIC_PREFIX, SENSOR_ID } from "../domain/imu.ts";
import { headers as headerNames, topics } from "../domain/topics.ts";
import { isTraceparent } from "../domain/traceparent.ts";

/** An MQTT message as received. */
export interface Publish {
  readonly topic: string;
  readonly payload: Buffer;
  readonly contentType?: string | undefined;
  readonly userProperties: readonly { readonly name: string; readonly value: string }[];
}

/** A record to append to Kafka. Without `partition`, Kafka's default partitioner (murmur2) chooses by the key. */
export interface BridgeRecord {
  readonly topic: string;
  readonly partition?: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, string>>;
}

/** Bytes of a payload that a dead letter carries at most; more would not fit into a Kafka record of 1 MB. */
export const MAX_DEAD_LETTER_BYTES = 900 * 1024;
/** Characters of a publisher's text in a dead letter's header, at most: an MQTT topic may have 64 KB. */
const MAX_HEADER_CHARACTERS = 1_024;
const MAX_QUOTED_CHARACTERS = 200;

/** What the bridge adds to a message. */
export interface Stamp {
  /** When the message was received, epoch ms. */
  readonly ingestMs: number;
  /** Used unless the publisher sent one in the user property `traceparent`. */
  readonly traceparent: string;
}

/**
 * The record that an MQTT message becomes. It goes to `imu-data-all` with its payload unchanged, or to `dead-letter`
 * when its topic has no valid sensor id (`invalid-sensor-id`) or its payload is over 128 KB (`payload-too-large`).
 */
export function toRecord(publish: Publish, stamp: Stamp): BridgeRecord {
  const key = receivedId(publish);
  const problem = problemOf(publish, key);
  if (problem) return toDeadLetter(publish, stamp, problem);
  return {
    topic: topics.imuData.name,
    key: Buffer.from(key),
    value: publish.payload,
    headers: commonHeaders(publish, stamp),
  };
}

/** What follows `imu/` in the MQTT topic, valid or not. */
function receivedId({ topic }: Publish): string {
  return topic.startsWith(MQTT_TOPIC_PREFIX) ? topic.slice(MQTT_TOPIC_PREFIX.length) : "";
}

function commonHeaders(publish: Publish, stamp: Stamp): Record<string, string> {
  const received = publish.userProperties.find(
    ({ name, value }) => name === headerNames.traceparent && isTraceparent(value),
  );
  return {
    ...(publish.contentType === undefined ? {} : { [headerNames.contentType]: publish.contentType }),
    [headerNames.ingestMs]: String(stamp.ingestMs),
    [headerNames.traceparent]: received?.value ?? stamp.traceparent,
  };
}

/**
 * A dead letter of the bridge. Its id is a hash of topic, payload and `ingest-ms`: copies have the same. The size and
 * the digest of the whole payload are added when it is cut.
 *
 * @param maxBytes How much of the payload it carries
 */
export function toDeadLetter(
  publish: Publish,
  stamp: Stamp,
  problem: Problem,
  maxBytes: number = MAX_DEAD_LETTER_BYTES,
): BridgeRecord & { readonly value: Buffer } {
  const { payload, contentType, topic } = publish;
  const headers: Record<string, string> = {
    ...commonHeaders(publish, stamp),
    [headerNames.letterId]: letterId(publish, stamp),
    [headerNames.errorCode]: problem.code,
    [headerNames.errorMessage]: problem.message,
    [headerNames.stage]: "bridge",
    [headerNames.mqttTopic]: topic.slice(0, MAX_HEADER_CHARACTERS),
  };
  if (contentType !== undefined) headers[headerNames.contentType] = contentType.slice(0, MAX_HEADER_CHARACTERS);
  if (payload.length > maxBytes) {
    headers[headerNames.fullSize] = String(payload.length);
    headers[headerNames.fullSha256] = createHash("sha256").update(payload).digest("hex");
  }
  return {
    topic: topics.deadLetter.name,
    key: Buffer.from(receivedId(publish)),
    value: payload.subarray(0, maxBytes),
    headers,
  };
}

/** SHA-256, hex, of the topic, a zero byte (which no MQTT topic has), `ingest-ms` as text, a zero byte, the payload. */
function letterId({ topic, payload }: Publish, { ingestMs }: Stamp): string {
  return createHash("sha256").update(`${topic}\0${ingestMs}\0`).update(payload).digest("hex");
}

/** Why a message is a dead letter. */
export interface Problem {
  readonly code: DeadLetterCode;
  readonly message: string;
}

/** Why Kafka cannot take the message as it is; null when it can. */
function problemOf(publish: Publish, sensorId: string): Problem | null {
  if (!SENSOR_ID.test(sensorId)) {
    const topic = JSON.stringify(publish.topic.slice(0, MAX_QUOTED_CHARACTERS));
    return {
      code: "invalid-sensor-id",
      message: `the MQTT topic ${topic} is not imu/{sensorId} with a sensor id of 1 to 128 of A-Z a-z 0-9 : _ -`,
    };
  }
  const size = publish.payload.length;
  if (size <= imuLimits.payloadBytes) return null;
  return {
    code: "payload-too-large",
    message: `the payload has ${size} bytes; at most ${imuLimits.payloadBytes} are allowed`,
  };
}
