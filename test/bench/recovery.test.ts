import { describe, expect, it } from "@jest/globals";
import { recoveryTargets, type Kill } from "../../bench/recovery.ts";

const killsOf = (...firstOutputMs: readonly number[]): Kill[] =>
  firstOutputMs.map((ms) => ({ firstOutputMs: ms }) as Kill);

describe("the measurement of recoveries", () => {
  it("holds the median and the worst kill to the target", () => {
    const kills = killsOf(2_400, 3_000, 2_100, 2_999, 2_950);
    const rows = recoveryTargets({ name: "default load", targetMs: 3_000, kills, peakMb: 200 });
    expect(rows.map(({ what, met }) => [what, met])).toEqual([
      ["recovery, default load: first new output, median of 5", true],
      ["recovery, default load: first new output, worst", false],
    ]);
  });

  it("is not met by nothing", () => {
    const rows = recoveryTargets({ name: "default load", targetMs: 3_000, kills: [], peakMb: 0 });
    expect(rows.map(({ met }) => met)).toEqual([false, false]);
  });
});
