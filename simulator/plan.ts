import type { ImuSample } from "../domain/imu-message.ts";
import type { Milliseconds } from "../domain/time.ts";
import type { Recording } from "./recordings.ts";

/** A stretch of readings without a gap: a recording, or a synthetic execution. It makes one session. */
export interface Execution {
  /** File name of the recording; `synthetic`. */
  readonly name: string;
  /** Counts the executions of a sensor from 0. */
  readonly number: number;
}

/** A message that a device is going to publish; times are since the start of the simulation. */
export interface PlannedMessage {
  readonly seq: number;
  readonly execution: Execution;
  /** One time per sample, not decreasing; or the first sample's time, with `hz`. */
  readonly t: readonly Milliseconds[] | Milliseconds;
  readonly hz?: number;
  readonly samples: readonly ImuSample[];
  /** When the last sample is taken, and so the message published. */
  readonly dueMs: Milliseconds;
}

/** Samples of six doubles as JSON text take up to 170 bytes each; with this many a message stays below 128 KB. */
export const MAX_SAMPLES_PER_MESSAGE = 700;

export interface RecordedPlan {
  readonly recordings: readonly Recording[];
  /** When the first sample is taken. */
  readonly startMs: Milliseconds;
  /** Silence between two executions: more than the session gap, or they would be one session. */
  readonly pauseMs: Milliseconds;
  /** Length of the readings that a message carries. */
  readonly batchMs: Milliseconds;
  /** How many times all recordings are played; may be infinite. */
  readonly laps: number;
}

/** The messages of a device that replays recordings, every sample as it was taken and at its own pace. */
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

/** Time that all recordings take with the pauses between them. */
export function lapMs(recordings: readonly Recording[], pauseMs: Milliseconds): Milliseconds {
  return recordings.reduce((sum, { offsetsMs }) => sum + offsetsMs.at(-1)! + pauseMs, 0);
}

/** Ranges of samples that share a message: those of one stretch of `batchMs`, times not decreasing. */
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
  /** Where in its first execution the device starts. */
  readonly skipMs: Milliseconds;
  /** Silence between two executions; 0 for none. */
  readonly pauseMs: Milliseconds;
  readonly executions: number;
  /** The sample taken that long after the start of an execution; called in order. */
  readonly motion: (sinceStartMs: Milliseconds) => ImuSample;
}

/** The messages of a device that samples at a constant rate. */
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
