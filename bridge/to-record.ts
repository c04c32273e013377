import { createHash } from "node:crypto";
import type { DeadLetterCode } from "../domain/errors.ts";
import { imuLimits, MQTT_TOPIC_PREFIX, SENSOR_ID } from "../domain/imu.ts";
import { headers as headerNames, topics } from "../domain/topics.ts";
import { isTraceparent } from "./traceparent.ts";

/** An MQTT message as it was received. */
export interface Publish {
  readonly topic: string;
  readonly payload: Buffer;
  readonly contentType?: string | undefined;
  readonly userProperties: readonly { readonly name: string; readonly value: string }[];
}

/** A record to be appended to Kafka; without `partition` the key decides, by Kafka's own partitioner. */
export interface BridgeRecord {
  readonly topic: string;
  readonly partition?: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, string>>;
}

/** Bytes of a payload that a dead letter carries; more would not fit into a Kafka record of 1 MB. */
export const MAX_DEAD_LETTER_BYTES = 900 * 1024;
/** Characters of a text from outside that a dead letter's headers carry: an MQTT topic alone may have 64 KB. */
const MAX_HEADER_CHARACTERS = 1_024;
const MAX_QUOTED_CHARACTERS = 200;

/** What this process adds to a message. */
export interface Stamp {
  readonly ingestMs: number;
  /** Used unless the publisher sent one in the user property `traceparent`. */
  readonly traceparent: string;
}

/**
 * The record that an MQTT message becomes: in `imu-data-all` with the payload untouched, or in `dead-letter` when Kafka
 * could not take it as it is (no sensor id, payload over 128 KB).
 */
export function toRecord(publish: Publish, stamp: Stamp): BridgeRecord {
  const receivedId = publish.topic.startsWith(MQTT_TOPIC_PREFIX) ? publish.topic.slice(MQTT_TOPIC_PREFIX.length) : "";
  const problem = refusal(publish, receivedId);
  const traceparent =
    publish.userProperties.find(({ name, value }) => name === headerNames.traceparent && isTraceparent(value))?.value ??
    stamp.traceparent;
  const headers = {
    ...(publish.contentType === undefined ? {} : { [headerNames.contentType]: publish.contentType }),
    [headerNames.ingestMs]: String(stamp.ingestMs),
    [headerNames.traceparent]: traceparent,
  };
  if (!problem) return { topic: topics.imuData.name, key: Buffer.from(receivedId), value: publish.payload, headers };
  return {
    topic: topics.deadLetter.name,
    key: Buffer.from(receivedId),
    value: publish.payload.subarray(0, MAX_DEAD_LETTER_BYTES),
    headers: {
      ...headers,
      ...(publish.contentType === undefined
        ? {}
        : { [headerNames.contentType]: publish.contentType.slice(0, MAX_HEADER_CHARACTERS) }),
      [headerNames.errorCode]: problem.code,
      [headerNames.errorMessage]: problem.message,
      [headerNames.stage]: "bridge",
      [headerNames.mqttTopic]: publish.topic.slice(0, MAX_HEADER_CHARACTERS),
      ...(publish.payload.length > MAX_DEAD_LETTER_BYTES
        ? {
            [headerNames.fullSize]: String(publish.payload.length),
            [headerNames.fullSha256]: createHash("sha256").update(publish.payload).digest("hex"),
          }
        : {}),
    },
  };
}

function refusal(publish: Publish, receivedId: string): { code: DeadLetterCode; message: string } | null {
  if (!SENSOR_ID.test(receivedId)) {
    const topic = JSON.stringify(publish.topic.slice(0, MAX_QUOTED_CHARACTERS));
    return {
      code: "invalid-sensor-id",
      message: `the MQTT topic ${topic} is not imu/{sensorId} with a sensor id of 1 to 128 of A-Z a-z 0-9 : _ -`,
    };
  }
  const size = publish.payload.length;
  return size > imuLimits.payloadBytes
    ? {
        code: "payload-too-large",
        message: `the payload has ${size} bytes; at most ${imuLimits.payloadBytes} are allowed`,
      }
    : null;
}
