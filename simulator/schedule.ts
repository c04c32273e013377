import type { EpochMs, Milliseconds } from "../domain/time.ts";

export interface ScheduleOptions {
  /** When the simulation starts. */
  readonly startedAt: EpochMs;
  /** How much faster than real time history runs. */
  readonly speed: number;
  /** How much of the simulation is history; what follows runs in real time. */
  readonly historyMs: Milliseconds;
}

/**
 * Where a moment of the simulation (ms since its start) lies in event time and when it happens.
 *
 * At a speed above 1, history begins so far in the past that it ends now: event times run faster than the clock, but
 * never ahead of it, or the future guard would refuse them. What follows happens at its event time. Within history, the
 * processor's idle timeout counts by the log's clock, not by event time, so a pause is shorter for it, not longer: it
 * ends no session that would not end otherwise. At a speed below 1, event times fall behind.
 */
export class Schedule {
  readonly #options: ScheduleOptions;
  readonly #eventOrigin: EpochMs;

  constructor(options: ScheduleOptions) {
    const { startedAt, speed, historyMs } = options;
    this.#options = options;
    this.#eventOrigin = speed > 1 ? Math.round(startedAt - historyMs * (1 - 1 / speed)) : startedAt;
  }

  eventTime(sinceStartMs: Milliseconds): EpochMs {
    return this.#eventOrigin + sinceStartMs;
  }

  dueAt(sinceStartMs: Milliseconds): EpochMs {
    const { startedAt, speed, historyMs } = this.#options;
    if (speed < 1) return startedAt + sinceStartMs / speed;
    return startedAt + Math.min(sinceStartMs, historyMs) / speed + Math.max(0, sinceStartMs - historyMs);
  }
}
