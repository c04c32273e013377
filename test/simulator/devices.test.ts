import { describe, expect, test } from "@jest/globals";
import { imuLimits } from "../../domain/imu.ts";
import { recordedFleet, syntheticFleet } from "../../simulator/devices.ts";
import { activityAt, EXECUTION_MS, syntheticMotion } from "../../simulator/motion.ts";
import { parseOptions, type SimulatorOptions } from "../../simulator/options.ts";
import type { Recording } from "../../simulator/recordings.ts";

function options(...args: string[]): SimulatorOptions {
  const parsed = parseOptions(args);
  if (parsed === "help") throw new Error("help");
  return parsed;
}

describe("recorded devices", () => {
  const recording = (file: string): Recording => ({
    file,
    offsetsMs: [0, 10],
    samples: [
      [1, 2, 3, 4, 5, 6],
      [1, 2, 3, 4, 5, 6],
    ],
  });
  const recordings = new Map([
    ["s01-sp", [recording("p1"), recording("p2")]],
    ["s01-sw", [recording("w1"), recording("w2")]],
  ]);

  test("are as many as were recorded, or as many as requested with derived ones", () => {
    const ids = (...args: string[]): string[] =>
      recordedFleet(recordings, options(...args)).devices.map(({ sensorId }) => sensorId);
    expect(ids()).toEqual(["s01-sp", "s01-sw"]);
    expect(ids("--sensors", "5")).toEqual(["s01-sp", "s01-sw", "s01-sp-2", "s01-sw-2", "s01-sp-3"]);
  });

  test("play each recording once with --once; derived ones begin at another recording", () => {
    const { devices } = recordedFleet(recordings, options("--sensors", "4", "--once"));
    const files = devices.map(({ messages }) =>
      [...{ [Symbol.iterator]: () => messages }].map(({ execution }) => execution.name),
    );
    expect(files).toEqual([
      ["p1", "p2"],
      ["w1", "w2"],
      ["p2", "p1"],
      ["w2", "w1"],
    ]);
  });
});

describe("synthetic motion", () => {
  const motion = syntheticMotion(1, "sim-001");
  const readings = Array.from({ length: EXECUTION_MS / 10 }, (_, i) => ({ at: i * 10, sample: motion(i * 10) }));
  const during = (activity: string): number[][] =>
    readings.filter(({ at }) => activityAt(at).activity === activity).map(({ sample }) => [...sample]);
  const mean = (values: number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
  const std = (values: number[]): number => Math.sqrt(mean(values.map((value) => (value - mean(values)) ** 2)));
  const magnitude = ([x, y, z]: number[]): number => Math.hypot(x!, y!, z!);

  test("is gravity alone on the z axis while the person sits", () => {
    expect(mean(during("SEATED").map(magnitude))).toBeCloseTo(9.80665, 1);
    expect(mean(during("SEATED").map(([, , z]) => z!))).toBeCloseTo(9.80665, 1);
    expect(std(during("SEATED").map(magnitude))).toBeLessThan(0.1);
  });

  test("has 1.6 to 2 steps per second and gravity on the y axis while the person walks", () => {
    const walking = during("WALKING")
      .slice(0, 900)
      .map(([, y]) => y!);
    expect(mean(walking)).toBeCloseTo(9.80665, 0);
    expect(std(walking)).toBeGreaterThan(1);
    // The dominant frequency of a Fourier sum over nine seconds.
    const power = (hz: number): number => {
      const [re, im] = walking.reduce(
        ([r, i], y, n) => [
          r! + (y - 9.8) * Math.cos(2 * Math.PI * hz * n * 0.01),
          i! + (y - 9.8) * Math.sin(2 * Math.PI * hz * n * 0.01),
        ],
        [0, 0],
      );
      return Math.hypot(re!, im!);
    };
    const frequencies = Array.from({ length: 60 }, (_, i) => 0.5 + i * 0.1);
    const dominant = frequencies.reduce((best, hz) => (power(hz) > power(best) ? hz : best));
    expect(dominant).toBeGreaterThanOrEqual(1.5);
    expect(dominant).toBeLessThanOrEqual(2.1);
  });

  test("turns by half a circle", () => {
    const turning = readings.filter(({ at }) => at >= 16_000 && at < 18_000).map(({ sample }) => sample[4]);
    expect(turning.reduce((sum, rate) => sum + rate * 0.01, 0)).toBeCloseTo(Math.PI, 1);
  });

  test("stays within the limits of the contract, and is the same for the same seed", () => {
    for (const { sample } of readings)
      for (const [i, value] of sample.entries())
        expect(Math.abs(value)).toBeLessThan(i < 3 ? imuLimits.acceleration : imuLimits.angularRate);
    const again = syntheticMotion(1, "sim-001");
    expect(Array.from({ length: 100 }, (_, i) => again(i * 10))).toEqual(
      readings.slice(0, 100).map(({ sample }) => sample),
    );
    expect(syntheticMotion(2, "sim-001")(0)).not.toEqual(readings[0]!.sample);
  });

  test("has as many devices as requested, 20 by default", () => {
    expect(syntheticFleet(options()).devices).toHaveLength(20);
    expect(syntheticFleet(options("--sensors", "3")).devices.map(({ sensorId }) => sensorId)).toEqual([
      "sim-001",
      "sim-002",
      "sim-003",
    ]);
  });
});

describe("the command line", () => {
  test("has defaults", () => {
    expect(
      options("--sensors", "50", "--rate", "200", "--faults", "duplicate=0.01,late=0.5", "--duration", "1.5", "--once"),
    ).toEqual({
      sensors: 50,
      recordings: undefined,
      rateHz: 200,
      speed: 1,
      faults: { duplicate: 0.01, late: 0.5, corrupt: 0, disconnect: 0 },
      seed: 1,
      format: "json",
      batchMs: 100,
      pauseMs: 6_500,
      durationMs: 1_500,
      once: true,
      connections: undefined,
      mqttUrl: undefined,
      reportFile: undefined,
    });
  });

  test("reports every problem with what was received and expected", () => {
    const wrong = (): unknown =>
      options("--sensors", "0", "--rate", "fast", "--faults", "late=2,typo=0.1", "--format", "xml");
    for (const problem of [
      /--sensors is "0": expected a whole number from 1/,
      /--rate is "fast"/,
      /"late=2": expected/,
      /"typo=0.1": expected NAME=PROBABILITY with one of duplicate/,
      /--format is "xml": expected json or packed/,
    ])
      expect(wrong).toThrow(problem);
    expect(() => options("--sensor", "1")).toThrow(/--sensor/);
    expect(() => options("stray")).toThrow(/stray/);
  });
});
