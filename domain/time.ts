/** Milliseconds since 1970-01-01T00:00:00Z, possibly fractional. */
export type EpochMs = number;

/** A duration in milliseconds. */
export type Milliseconds = number;

export const SECOND: Milliseconds = 1_000;
export const MINUTE: Milliseconds = 60 * SECOND;
export const HOUR: Milliseconds = 60 * MINUTE;
export const DAY: Milliseconds = 24 * HOUR;

/** A half-open interval of event time: `start` inclusive, `end` exclusive. */
export interface TimeInterval {
  readonly start: EpochMs;
  readonly end: EpochMs;
}

/** The largest magnitude of an event time that is accepted: the range of an ECMAScript Date (ECMA-262, 21.4.1.1). */
export const MAX_EPOCH_MS: EpochMs = 8.64e15;
