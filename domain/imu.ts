import { SECOND, type Milliseconds } from "./time.ts";

/** The id of a sensor: the last level of its MQTT topic. */
export const SENSOR_ID = /^[A-Za-z0-9:_-]{1,128}$/;
export const MQTT_TOPIC_PREFIX = "imu/";
export const MQTT_SUBSCRIPTION = "imu/#";
const MQTT_REJECTED_PREFIX = "rejected/";

/** The MQTT topic on which a device learns that a message was refused: a `RejectedNotice`, with QoS 0. */
export function rejectedTopic(sensorId: string): string {
  return MQTT_REJECTED_PREFIX + sensorId;
}

/** Why a message was refused; `seq` and `boot` are null where the payload does not say them. */
export interface RejectedNotice {
  /** A code of `deadLetterCodes`. */
  readonly code: string;
  readonly message: string;
  readonly seq: number | null;
  readonly boot: string | null;
}

/** A topic, or a filter of topics, as the broker has it: below the environment's prefix, where it has one. */
export function mqttTopic(prefix: string | null | undefined, topic: string): string {
  return prefix ? `${prefix}/${topic}` : topic;
}

/** Bounds of an IMU message, inclusive unless said otherwise. */
export const imuLimits = {
  /** Bytes of an MQTT payload (IoT Core's limit). */
  payloadBytes: 128 * 1024,
  samples: 1_000,
  /** Characters (Unicode code points) of `boot`. */
  bootLength: 64,
  /** Samples per second, exclusive of 0. */
  hz: 10_000,
  /** Each axis, in m/s². */
  acceleration: 320,
  /** Each axis, in rad/s. */
  angularRate: 70,
} as const;

/** What the processor notices about a session that it accepts all the same: field `warnings` of its `ended` records. */
export const sessionWarnings = {
  "acceleration-in-g":
    "The mean acceleration over the session is from 0.9 to 1.1: the device seems to send g. " +
    "m/s² are expected; 1 g is 9.80665 m/s².",
} as const;
export type SessionWarning = keyof typeof sessionWarnings;

/** Means of |a| over a session, both inclusive, that a device gives which sends g instead of m/s². */
export const meanAccelerationInG = { from: 0.9, to: 1.1 } as const;

/** The six channels of a sample, in the order of the contract. */
export const imuChannels = ["ax", "ay", "az", "gx", "gy", "gz"] as const;
/** What windows report: the six channels and the magnitudes of acceleration and angular rate. */
export const windowChannels = [...imuChannels, "accMag", "gyroMag"] as const;
export type WindowChannel = (typeof windowChannels)[number];
/** Columns of a transformed message after `t`: calibrated channels, magnitudes, acceleration without gravity. */
export const transformedColumns = [...windowChannels, "lax", "lay", "laz"] as const;

/**
 * One step of the partition clock counts for at most this much of a sensor's silence: after an outage of ours no sensor
 * is silent.
 */
export const MAX_SILENCE_PER_STEP: Milliseconds = 5 * SECOND;

/** The name of a window operator, as records and docs have it: `tumbling-1000`, `sliding-1000-250`. */
export function windowOperatorName(windowMs: Milliseconds, slideMs: Milliseconds): string {
  return windowMs === slideMs ? `tumbling-${windowMs}` : `sliding-${windowMs}-${slideMs}`;
}

/** The length of the windows of an operator with such a name. */
export function windowMsOf(operator: string): Milliseconds {
  return Number(operator.split("-")[1]);
}

/** Length of a text in Unicode code points: what the contract calls characters. */
export function codePoints(text: string): number {
  return Array.from(text).length;
}

/** Sensors that switch to other settings in one step; the rest come first in the next ones. */
export const SENSORS_PER_STEP = 1_000;
