import type { EpochMs, Milliseconds } from "../domain/time.ts";

export interface ScheduleOptions {
  /** Start of the simulation. */
  readonly startedAt: EpochMs;
  /** How much faster than real time the history runs. */
  readonly speed: number;
  /** Length of the history in the simulation's time. What follows runs in real time. */
  readonly historyMs: Milliseconds;
}

/**
 * Maps a moment of the simulation (ms since its start) to its event time, and to the time when it happens.
 *
 * - Speed above 1: event times run faster than the clock, but must never be ahead of it, because the future guard would
 *   refuse them. So the history begins in the past and ends now. After the history, a reading is published at its event
 *   time.
 * - Speed below 1: event times fall behind the clock.
 *
 * The processor's idle timeout counts by the log's clock. At a higher speed a pause is shorter there than in event
 * time, so that it ends no additional sessions.
 */
export class Schedule {
  readonly #options: ScheduleOptions;
  readonly #eventOrigin: EpochMs;

  constructor(options: ScheduleOptions) {
    const { startedAt, speed, historyMs } = options;
    this.#options = options;
    this.#eventOrigin = speed > 1 ? Math.round(startedAt - historyMs * (1 - 1 / speed)) : startedAt;
  }

  /** Event time of a moment. */
  eventTime(sinceStartMs: Milliseconds): EpochMs {
    return this.#eventOrigin + sinceStartMs;
  }

  /** Time when a moment happens. */
  dueAt(sinceStartMs: Milliseconds): EpochMs {
    const { startedAt, speed, historyMs } = this.#options;
    if (speed < 1) return startedAt + sinceStartMs / speed;
    return startedAt + Math.min(sinceStartMs, historyMs) / speed + Math.max(0, sinceStartMs - historyMs);
  }
}
