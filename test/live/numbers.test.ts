import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { shortDecimal } from "../../live/numbers.ts";

test.each([
  [9.81, 9.81],
  [-0.001, -0.001],
  [0, 0],
  [320, 320],
  [1 / 3, 0.33333334],
  [1e-30, 1e-30],
  [3.4028234663852886e38, 3.4028234663852886e38],
  [16_777_217, 16_777_216],
])("the f32 of %d is written as %d", (value, written) => {
  expect(shortDecimal(Math.fround(value))).toBe(written);
});

test("what is not finite is null", () => {
  expect([Number.NaN, Infinity, -Infinity].map(shortDecimal)).toEqual([null, null, null]);
});

test("any f32 reads back as itself, from text of at most a few characters more than its digits", () => {
  fc.assert(
    fc.property(fc.float({ noNaN: true, noDefaultInfinity: true }), (f32) => {
      const text = JSON.stringify(shortDecimal(f32));
      expect(Math.fround(JSON.parse(text) as number) === f32).toBe(true);
      expect(text.length).toBeLessThanOrEqual(24);
    }),
    { numRuns: 5_000 },
  );
});
