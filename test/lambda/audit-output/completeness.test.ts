import { expect, test } from "@jest/globals";
import { Completeness, REMEMBERED_WINDOWS } from "../../../lambda/audit-output/completeness.ts";
import type { Sight, WindowSight } from "../../../lambda/audit-output/outputs.ts";

function fired(start: number, revision: number, readings: number, more: Partial<WindowSight> = {}): Sight {
  const window: WindowSight = {
    key: "s1",
    operator: "tumbling-1000",
    window: { start, end: start + 1_000 },
    revision,
    cause: revision === 0 ? "watermark" : "late",
    readings,
    extent: null,
    ...more,
  };
  return { id: "imu-data-all/0/0/0", eventTime: null, window };
}
const sums = (completeness: Completeness, ...sights: Sight[]): { first: number; all: number; unknown: number } =>
  sights
    .map((sight) => completeness.take(sight))
    .reduce(
      (sum, { first, all, isUnknown }) => ({
        first: sum.first + first,
        all: sum.all + all,
        unknown: sum.unknown + Number(isUnknown),
      }),
      { first: 0, all: 0, unknown: 0 },
    );

test("readings of revision 0 are complete, those that revisions add and that are too late are not", () => {
  const late: Sight = { id: "imu-data-all/0/9/0", eventTime: null, late: 3 };
  const completeness = new Completeness();
  // 100 at first, 5 and 2 more in revisions, 40 in the next window, 3 too late: 140 of 150.
  expect(sums(completeness, fired(0, 0, 100), fired(0, 1, 105), fired(1_000, 0, 40), fired(0, 2, 107), late)).toEqual({
    first: 140,
    all: 150,
    unknown: 0,
  });
});

test("a revision that takes nothing in, such as a cancelled trade's, adds nothing", () => {
  expect(sums(new Completeness(), fired(0, 0, 30), fired(0, 1, 30))).toEqual({ first: 30, all: 30, unknown: 0 });
});

test("a revision that comes before the one that it corrects is not counted twice", () => {
  expect(sums(new Completeness(), fired(0, 0, 100), fired(0, 2, 107), fired(0, 1, 105))).toEqual({
    first: 100,
    all: 107,
    unknown: 0,
  });
});

test("of a revision whose window is not remembered, nothing is counted but that there was one", () => {
  expect(sums(new Completeness(), fired(0, 1, 105), fired(0, 2, 107))).toEqual({ first: 0, all: 2, unknown: 1 });
  const completeness = new Completeness();
  completeness.take(fired(0, 0, 100));
  for (let i = 1; i <= REMEMBERED_WINDOWS; i++) completeness.take(fired(i * 1_000, 0, 1));
  expect(sums(completeness, fired(0, 1, 105))).toEqual({ first: 0, all: 0, unknown: 1 });
});

test("sessions and others count no readings", () => {
  expect(sums(new Completeness(), { id: "imu-data-all/0/0/0", eventTime: 5 })).toEqual({
    first: 0,
    all: 0,
    unknown: 0,
  });
});
