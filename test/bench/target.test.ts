import { describe, expect, it } from "@jest/globals";
import { showTargets, target } from "../../bench/target.ts";

const ms = (value: number): string => `${value} ms`;

describe("targets", () => {
  it("holds what was measured to its limit", () => {
    expect(target("p99", 49, "below", 50, ms)).toEqual({
      what: "p99",
      target: "below 50 ms",
      measured: "49 ms",
      met: true,
    });
    expect(target("p99", 50, "below", 50, ms).met).toBe(false);
    expect(target("p99", 50, "at most", 50, ms).met).toBe(true);
    expect(target("ratio", 1.8, "at least", 1.8, String).met).toBe(true);
  });

  it("is not met by nothing", () => {
    for (const direction of ["at least", "at most", "below"] as const)
      expect(target("p99", NaN, direction, 50, ms)).toMatchObject({ measured: "nothing measured", met: false });
  });

  it("prints one row each", () => {
    expect(showTargets([target("a", 1, "at most", 2, ms), target("longer", 30, "at most", 2, ms)])).toBe(
      "  a        at most 2 ms   1 ms    met\n  longer   at most 2 ms   30 ms   NOT MET",
    );
  });
});
