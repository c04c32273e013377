import { expect, test } from "@jest/globals";
import { drawLine } from "../../dashboard/chart-path.ts";

const area = { left: 0, top: 0, width: 10, height: 100, x: { min: 0, max: 1_000 }, y: { min: 0, max: 100 } };

/** The steps of a line: `M` where it begins, `L` where it continues. */
function steps(xs: readonly number[], ys: readonly number[], gap = Infinity): string[] {
  const found: string[] = [];
  const pen = {
    moveTo: (x: number, y: number) => void found.push(`M${x},${y}`),
    lineTo: (x: number, y: number) => void found.push(`L${x},${y}`),
  };
  drawLine(pen, xs, ys, area, gap);
  return found;
}

test("however many values a column of pixels has, its peaks are drawn, with two points", () => {
  // A pixel is a hundred wide: all of these are in the columns 0 and 1.
  const xs = [0, 10, 20, 30, 40, 100, 110];
  const found = steps(xs, [50, 99, 50, 1, 50, 50, 50]);
  // 99 is at the top, and comes before 1.
  expect(found).toEqual(["M0,1", "L0,99", "L1,50"]);
  expect(steps(xs, [50, 1, 50, 99, 50, 50, 50])).toEqual(["M0,99", "L0,1", "L1,50"]);
});

test("extremes that can't be told apart are one point", () => {
  expect(steps([0, 10, 100], [50, 50.4, 50])).toEqual(["M0,50", "L1,50"]);
  expect(steps([0, 10, 100], [50, 50.6, 50])).toEqual(["M0,50", "L0,49.4", "L1,50"]);
});

test("a line is broken at a gap, and leaves out what is no number", () => {
  const found = steps([0, 200, 700, 800, 900], [10, 20, 30, Number.NaN, 40], 300);
  expect(found.filter((step) => step.startsWith("M"))).toEqual(["M0,90", "M7,70"]);
  expect(found.join(" ")).not.toContain("NaN");
});
