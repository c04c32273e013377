import { describe, expect, it } from "@jest/globals";
import { distribution, ratioOf, showRatio } from "../../bench/distribution.ts";

describe("distributions and ratios", () => {
  it("has no percentile without a value", () => {
    expect(distribution([])).toEqual({ p50: NaN, p99: NaN });
  });

  it("sorts by value", () => {
    expect(distribution([9, 10, 1])).toEqual({ p50: 9, p99: 10 });
  });

  it("takes the ratio of each pair, so that a slow minute slows both sides", () => {
    const ratio = ratioOf([
      [10, 5],
      [3, 2],
      [40, 10],
    ]);
    expect(ratio).toEqual({ median: 2, min: 1.5, max: 4 });
    expect(showRatio(ratio)).toBe("2.00 × (1.50 to 4.00)");
  });

  it("takes the middle of an even number of pairs", () => {
    expect(
      ratioOf([
        [1, 1],
        [2, 1],
        [4, 1],
        [9, 1],
      ] as const).median,
    ).toBe(3);
  });
});
