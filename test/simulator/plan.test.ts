import { describe, expect, test } from "@jest/globals";
import type { ImuSample } from "../../domain/imu-message.ts";
import { recordedMessages, syntheticMessages, type PlannedMessage } from "../../simulator/plan.ts";
import type { Recording } from "../../simulator/recordings.ts";

function recording(file: string, offsetsMs: number[]): Recording {
  return { file, offsetsMs, samples: offsetsMs.map((offset): ImuSample => [offset, 0, 0, 0, 0, 0]) };
}
const summary = ({ seq, t, samples, dueMs, execution }: PlannedMessage) => ({
  seq,
  t,
  n: samples.length,
  dueMs,
  execution: execution.number,
});

describe("a device that replays recordings", () => {
  const recordings = [recording("a", [0, 40, 40, 99, 100, 188]), recording("b", [0, 250])];
  const plan = { recordings, startMs: 1_000, pauseMs: 6_500, batchMs: 100, laps: 1 };

  test("sends the samples of 100 ms together, at the time of the last one, and pauses between recordings", () => {
    expect([...recordedMessages(plan)].map(summary)).toEqual([
      { seq: 0, t: [1_000, 1_040, 1_040, 1_099], n: 4, dueMs: 1_099, execution: 0 },
      { seq: 1, t: [1_100, 1_188], n: 2, dueMs: 1_188, execution: 0 },
      { seq: 2, t: [7_688], n: 1, dueMs: 7_688, execution: 1 },
      { seq: 3, t: [7_938], n: 1, dueMs: 7_938, execution: 1 },
    ]);
  });

  test("continues its numbers and times when the recordings begin again", () => {
    const messages = [...recordedMessages({ ...plan, laps: 2 })].map(summary);
    expect(messages).toHaveLength(8);
    expect(messages[4]).toEqual({ seq: 4, t: [14_438, 14_478, 14_478, 14_537], n: 4, dueMs: 14_537, execution: 2 });
  });

  test("sends every sample as it was recorded, with any length of a message", () => {
    for (const batchMs of [1, 7, 100, 60_000]) {
      const samples = [...recordedMessages({ ...plan, batchMs })].flatMap((message) => message.samples);
      expect(samples).toEqual(recordings.flatMap((one) => one.samples));
    }
  });

  test("begins a new message where a recording's clock goes back, because times in a message must not decrease", () => {
    const messages = [...recordedMessages({ ...plan, recordings: [recording("c", [0, 50, 20, 60])] })];
    expect(messages.map(({ t }) => t)).toEqual([
      [1_000, 1_050],
      [1_020, 1_060],
    ]);
  });

  test("stays below 128 KB with the longest numbers", () => {
    const sample: ImuSample = [
      -1.2345678901234567e-100, -1.2345678901234567e-100, -1.2345678901234567e-100, -1.2345678901234567e-100,
      -1.2345678901234567e-100, -1.2345678901234567e-100,
    ];
    const long: Recording = {
      file: "d",
      offsetsMs: Array.from({ length: 5_000 }, (_, i) => i / 1_000),
      samples: Array.from({ length: 5_000 }, () => sample),
    };
    const messages = [...recordedMessages({ ...plan, recordings: [long] })];
    for (const { t, samples } of messages)
      expect(
        JSON.stringify({ seq: 1e15, boot: "x".repeat(64), t: (t as number[]).map(() => 1657533977813.123), samples })
          .length,
      ).toBeLessThan(131_072);
    expect(messages.reduce((sum, { samples }) => sum + samples.length, 0)).toBe(5_000);
  });
});

describe("a device with synthetic motion", () => {
  const motion = (sinceStartMs: number): ImuSample => [sinceStartMs, 0, 0, 0, 0, 0];

  test("samples at its rate without drift, and pauses between executions", () => {
    const messages = [
      ...syntheticMessages({
        rateHz: 300,
        startMs: 0,
        batchMs: 100,
        executionMs: 250,
        skipMs: 0,
        pauseMs: 6_500,
        executions: 2,
        motion,
      }),
    ];
    expect(messages.map(summary)).toEqual([
      { seq: 0, t: 0, n: 30, dueMs: 29 * (1000 / 300), execution: 0 },
      { seq: 1, t: 30 * (1000 / 300), n: 30, dueMs: 59 * (1000 / 300), execution: 0 },
      { seq: 2, t: 60 * (1000 / 300), n: 15, dueMs: 74 * (1000 / 300), execution: 0 },
      { seq: 3, t: 6_750, n: 30, dueMs: 6_750 + 29 * (1000 / 300), execution: 1 },
      { seq: 4, t: 6_750 + 30 * (1000 / 300), n: 30, dueMs: 6_750 + 59 * (1000 / 300), execution: 1 },
      { seq: 5, t: 6_750 + 60 * (1000 / 300), n: 15, dueMs: 6_750 + 74 * (1000 / 300), execution: 1 },
    ]);
    expect(messages.every(({ hz }) => hz === 300)).toBe(true);
  });

  test("may start in the middle of its first execution, and sends one sample per message at a low rate", () => {
    const messages = [
      ...syntheticMessages({
        rateHz: 2,
        startMs: 10,
        batchMs: 100,
        executionMs: 3_000,
        skipMs: 1_000,
        pauseMs: 0,
        executions: 1,
        motion,
      }),
    ];
    expect(messages.map(({ t, samples }) => [t, samples[0]![0]])).toEqual([
      [10, 1_000],
      [510, 1_500],
      [1_010, 2_000],
      [1_510, 2_500],
    ]);
  });
});
