import type { ImuSample } from "../domain/imu-message.ts";
import type { Milliseconds } from "../domain/time.ts";
import type { Recording } from "./recordings.ts";

/** Readings without a gap: a recording, or a synthetic execution. They are one session. */
export interface Execution {
  /** File name of the recording, or `synthetic`. */
  readonly name: string;
  /** Counts the executions of a sensor from 0. */
  readonly number: number;
}

/** A message that a device will publish. All times count from the start of the simulation. */
export interface PlannedMessage {
  readonly seq: number;
  readonly execution: Execution;
  /** One time per sample, not decreasing; or the time of the first sample, together with `hz`. */
  readonly t: readonly Milliseconds[] | Milliseconds;
  readonly hz?: number;
  readonly samples: readonly ImuSample[];
  /** Time of the last sample. The device publishes the message then. */
  readonly dueMs: Milliseconds;
}

/** A sample of six doubles takes up to 170 bytes of JSON. With this limit a message stays below 128 KB. */
export const MAX_SAMPLES_PER_MESSAGE = 700;

export interface RecordedPlan {
  readonly recordings: readonly Recording[];
  /** Time of the first sample. */
  readonly startMs: Milliseconds;
  /** Silence between two executions. Up to the session gap, both are one session. */
  readonly pauseMs: Milliseconds;
  /** Time that the readings of a message span. */
  readonly batchMs: Milliseconds;
  /** How many times all recordings are played. May be infinite. */
  readonly laps: number;
}

/** The messages of a device that replays recordings. Samples and their intervals are those of the recordings. */
export function* recordedMessages(plan: RecordedPlan): Generator<PlannedMessage> {
  let startMs = plan.startMs;
  let seq = 0;
  let number = 0;
  for (let lap = 0; lap < plan.laps; lap++) {
    for (const { file, offsetsMs, samples } of plan.recordings) {
      const execution = { name: file, number: number++ };
      for (const [from, to] of batches(offsetsMs, plan.batchMs)) {
        const t = offsetsMs.slice(from, to).map((offset) => startMs + offset);
        yield { seq: seq++, execution, t, samples: samples.slice(from, to), dueMs: t.at(-1)! };
      }
      startMs += offsetsMs.at(-1)! + plan.pauseMs;
    }
  }
}

/** Duration of all recordings, with a pause after each. */
export function lapMs(recordings: readonly Recording[], pauseMs: Milliseconds): Milliseconds {
  return recordings.reduce((sum, { offsetsMs }) => sum + offsetsMs.at(-1)! + pauseMs, 0);
}

/** Index ranges of samples that share a message: at most `batchMs` long, with times that do not decrease. */
function* batches(offsetsMs: readonly Milliseconds[], batchMs: Milliseconds): Generator<[number, number]> {
  let from = 0;
  const stretch = (i: number): number => Math.floor(offsetsMs[i]! / batchMs);
  for (let i = 1; i <= offsetsMs.length; i++) {
    const ends =
      i === offsetsMs.length ||
      stretch(i) !== stretch(from) ||
      offsetsMs[i]! < offsetsMs[i - 1]! ||
      i - from === MAX_SAMPLES_PER_MESSAGE;
    if (!ends) continue;
    yield [from, i];
    from = i;
  }
}

export interface SyntheticPlan {
  readonly rateHz: number;
  readonly startMs: Milliseconds;
  readonly batchMs: Milliseconds;
  /** Length of an execution. */
  readonly executionMs: Milliseconds;
  /** Position in the first execution where the device starts. */
  readonly skipMs: Milliseconds;
  /** Silence between two executions; 0 for none. */
  readonly pauseMs: Milliseconds;
  /** Number of executions. May be infinite. */
  readonly executions: number;
  /** The sample at this time after the start of an execution. Called in the order of time. */
  readonly motion: (sinceStartMs: Milliseconds) => ImuSample;
}

/** The messages of a device with a constant sample rate. */
export function* syntheticMessages(plan: SyntheticPlan): Generator<PlannedMessage> {
  const periodMs = 1000 / plan.rateHz;
  const perMessage = Math.min(MAX_SAMPLES_PER_MESSAGE, Math.max(1, Math.round(plan.batchMs / periodMs)));
  let seq = 0;
  let startMs = plan.startMs;
  for (let number = 0; number < plan.executions; number++) {
    const execution = { name: "synthetic", number };
    const skipped = number === 0 ? plan.skipMs : 0;
    const count = Math.max(1, Math.round((plan.executionMs - skipped) / periodMs));
    for (let from = 0; from < count; from += perMessage) {
      const size = Math.min(perMessage, count - from);
      const samples = Array.from({ length: size }, (_, i) => plan.motion(skipped + (from + i) * periodMs));
      yield {
        seq: seq++,
        execution,
        t: startMs + from * periodMs,
        hz: plan.rateHz,
        samples,
        dueMs: startMs + (from + size - 1) * periodMs,
      };
    }
    startMs += count * periodMs + plan.pauseMs;
  }
}
