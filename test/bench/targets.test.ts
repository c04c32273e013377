import { expect, it } from "@jest/globals";
import { flinkTargets, ratioTargets, type Round } from "../../bench/targets.ts";

function round(windows: number, packed: number, all: number, check = "exact"): Round {
  const job = (perCpuSecond: number) => ({ perCpuSecond, check }) as Round["windows"];
  return { windows: job(windows), packed: job(packed), all: job(all) };
}

it("compares the jobs of a round with each other, and takes the median of the rounds", () => {
  // 3.4/2 = 1.7, 4.5/3 = 1.5, 8/5 = 1.6; 1/2 = 0.5, 2.1/3 = 0.7, 3/5 = 0.6.
  const rows = ratioTargets([round(2, 3.4, 1), round(3, 4.5, 2.1, "MISMATCH"), round(5, 8, 3)]);
  expect(rows.map(({ measured, met }) => [measured, met])).toEqual([
    ["1.60 ×", true],
    ["0.60 ×", false],
    ["3", false],
  ]);
});

it("holds the median beside Flink to its targets, and says when it was not measured", () => {
  const found = {
    perCpuSecond: { median: 1.79, min: 1.7, max: 1.9 },
    memory: { median: 0.3, min: 0.2, max: 0.4 },
  };
  expect(flinkTargets(found).map(({ met }) => met)).toEqual([false, true]);
  expect(flinkTargets(undefined).map(({ measured, met }) => [measured, met])).toEqual([
    ["not measured: no --flink", false],
    ["not measured: no --flink", false],
  ]);
});
