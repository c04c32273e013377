import { expect, test } from "@jest/globals";
import type { ModelManifest } from "../../../domain/models.ts";
import { InputDrift } from "../../../processor/adapters/input-drift.ts";

const reference = { name: "m", version: "1", sha256: "0".repeat(64) };
const INTERVAL = 60_000;
/** The first channel has mean 1 and standard deviation 2, all others 0 and 1. */
const manifest = {
  inputStatistics: { mean: [1, 0, 0, 0, 0, 0], std: [2, 1, 1, 1, 1, 1] },
} as unknown as ModelManifest;

/** `rows` rows whose first channel has these values in turn; the other channels are -1 and 1 in turn. */
function rows(count: number, ...first: readonly number[]): Float32Array {
  return Float32Array.from({ length: 6 * count }, (_, i) => {
    const row = Math.floor(i / 6);
    return i % 6 === 0 ? first[row % first.length]! : row % 2 === 0 ? -1 : 1;
  });
}

/** The drift of an interval with these rows. */
function driftOf(hop: Float32Array, of = manifest): number | undefined {
  const drift = new InputDrift(0, INTERVAL);
  drift.take(reference, of, hop, 10);
  expect(drift.percent(INTERVAL - 1)).toBeUndefined();
  return drift.percent(INTERVAL);
}

test("is 100 % for input with the training set's mean and spread", () => {
  expect(driftOf(rows(1_000, -1, 3))).toBe(100); // 1 ± 2
});

test("rises with a shift: by hand, the root of 1 + (shift / 2)²", () => {
  // -1 and 3, shifted by 6, are 2 and 4 standard deviations above 1: √((2² + 4²) / 2) = √10.
  expect(driftOf(rows(1_000, 5, 9))).toBeCloseTo(100 * Math.sqrt(10), 9);
  const shifted = [0, 1, 2, 4, 8, 16].map((shift) => driftOf(rows(1_000, -1 + shift, 3 + shift))!);
  expect(shifted).toEqual(shifted.toSorted((a, b) => a - b));
  expect(new Set(shifted).size).toBe(6);
  expect(shifted[4]).toBeCloseTo(100 * Math.sqrt(17), 9);
});

test("rises with a spread that is larger, and is that of the farthest channel", () => {
  expect(driftOf(rows(1_000, -9, 11))).toBeCloseTo(500, 9); // five standard deviations on both sides
  expect(driftOf(rows(1_000, 1))).toBe(100); // the first channel does not move; the others are as they were
});

test("has no value where little was scored, or the model has no figures of its training set", () => {
  expect(driftOf(rows(999, 5))).toBeUndefined();
  expect(driftOf(rows(1_000, 5), {} as ModelManifest)).toBeUndefined();
});

test("is that of the last minute, and has no value when that is over", () => {
  const drift = new InputDrift(0, INTERVAL);
  drift.take(reference, manifest, rows(1_000, -9, 11), 10);
  drift.take(reference, manifest, rows(1_000, -1, 3), INTERVAL + 1);
  expect(drift.percent(INTERVAL + 2)).toBeCloseTo(500, 9);
  expect(drift.percent(2 * INTERVAL)).toBe(100);
  expect(drift.percent(3 * INTERVAL)).toBeUndefined();
  // A long silence begins a new interval.
  drift.take(reference, manifest, rows(1_000, -9, 11), 10 * INTERVAL);
  expect(drift.percent(10 * INTERVAL + 1)).toBeUndefined();
  expect(drift.percent(11 * INTERVAL)).toBeCloseTo(500, 9);
});

test("is that of the model whose input is farthest", () => {
  const drift = new InputDrift(0, INTERVAL);
  drift.take(reference, manifest, rows(1_000, -1, 3), 10);
  drift.take({ ...reference, version: "2" }, manifest, rows(1_000, -9, 11), 10);
  expect(drift.percent(INTERVAL)).toBeCloseTo(500, 9);
});
