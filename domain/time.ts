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

/** Milliseconds in one unit in which a device may send epoch times by mistake. */
const units = { seconds: 1e3, microseconds: 1e-3, nanoseconds: 1e-6 } as const;

/** The unit in which a number lies within [from, to] of epoch milliseconds; null when there is none. */
export function unitOf(time: number, from: EpochMs, to: EpochMs): keyof typeof units | null {
  for (const [unit, milliseconds] of Object.entries(units))
    if (time * milliseconds >= from && time * milliseconds <= to) return unit as keyof typeof units;
  return null;
}
