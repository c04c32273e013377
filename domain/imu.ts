import { MINUTE, SECOND, type Milliseconds } from "./time.ts";

/** The id of a sensor: the last level of its MQTT topic. */
export const SENSOR_ID = /^[A-Za-z0-9:_-]{1,128}$/;
export const MQTT_TOPIC_PREFIX = "imu/";
export const MQTT_SUBSCRIPTION = "imu/#";

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

/** The six channels of a sample, in the order of the contract. */
export const imuChannels = ["ax", "ay", "az", "gx", "gy", "gz"] as const;
/** What windows report: the six channels and the magnitudes of acceleration and angular rate. */
export const windowChannels = [...imuChannels, "accMag", "gyroMag"] as const;
export type WindowChannel = (typeof windowChannels)[number];
/** Columns of a transformed message after `t`: calibrated channels, magnitudes, acceleration without gravity. */
export const transformedColumns = [...windowChannels, "lax", "lay", "laz"] as const;

/** The settings that decide what the outputs are; all in milliseconds. */
export interface Semantics {
  readonly windowMs: Milliseconds;
  /** Distance between the starts of two windows; equal to `windowMs` for tumbling windows. */
  readonly slideMs: Milliseconds;
  readonly allowedLatenessMs: Milliseconds;
  readonly outOfOrdernessMs: Milliseconds;
  readonly sessionGapMs: Milliseconds;
  readonly idleTimeoutMs: Milliseconds;
  readonly futureGuardMs: Milliseconds;
  /** Silence after which a sensor's windows and sessions are forgotten and a tombstone stays. */
  readonly expiryMs: Milliseconds;
  /** How much longer the tombstone (watermark, boots, seen numbers) stays. */
  readonly tombstoneMs: Milliseconds;
  readonly watermark: "sensor" | "partition";
  readonly maxIntervalsPerSensor: number;
  readonly maxBootsPerSensor: number;
  /** Form of `sensor-data-transformed` values. */
  readonly transformedFormat: "packed" | "json";
  /** `windows`: deduplication and windows alone, for who needs neither sessions nor samples downstream. */
  readonly outputs: "all" | "windows";
  /** The share of the previous hop's probabilities in a hop's, 0 to 95 %: labels flicker less and change later. */
  readonly smoothingPercent: number;
}

export const defaultSemantics: Semantics = {
  windowMs: 1 * SECOND,
  slideMs: 1 * SECOND,
  allowedLatenessMs: 5 * MINUTE,
  outOfOrdernessMs: 500,
  sessionGapMs: 5 * SECOND,
  idleTimeoutMs: 10 * SECOND,
  futureGuardMs: 1 * MINUTE,
  expiryMs: 24 * 60 * MINUTE,
  tombstoneMs: 30 * 24 * 60 * MINUTE,
  watermark: "sensor",
  maxIntervalsPerSensor: 1_000,
  maxBootsPerSensor: 100,
  transformedFormat: "packed",
  outputs: "all",
  smoothingPercent: 0,
};

/** The semantics among other settings: nothing else may enter the fingerprint of what decides outputs. */
export function pickSemantics(settings: Semantics): Semantics {
  return Object.fromEntries(
    Object.keys(defaultSemantics).map((name) => [name, settings[name as keyof Semantics]]),
  ) as unknown as Semantics;
}

/**
 * One step of the partition clock counts for at most this much of a sensor's silence: after an outage of ours no sensor
 * is silent.
 */
export const MAX_SILENCE_PER_STEP: Milliseconds = 5 * SECOND;

/** The name of a window operator, as records and docs have it: `tumbling-1000`, `sliding-1000-250`. */
export function windowOperatorName(windowMs: Milliseconds, slideMs: Milliseconds): string {
  return windowMs === slideMs ? `tumbling-${windowMs}` : `sliding-${windowMs}-${slideMs}`;
}

/** Length of a text in Unicode code points: what the contract calls characters. */
export function codePoints(text: string): number {
  return Array.from(text).length;
}
