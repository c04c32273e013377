import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { CHANNELS, Readings } from "../../dashboard/readings.ts";

let messages = 0;
const message = (t: readonly number[], value: number, id = `m${messages++}`) => ({
  sensorId: "s1",
  id,
  seq: 0,
  t,
  ax: t.map(() => value),
});

test("readings are sorted by time and bounded by their span, in whatever order messages come", () => {
  fc.assert(
    fc.property(fc.array(fc.array(fc.integer({ min: 0, max: 5_000 }), { minLength: 1, maxLength: 20 })), (all) => {
      const readings = new Readings(1_000);
      const times = all.map((some) => some.toSorted((a, b) => a - b));
      for (const t of times) readings.add(message(t, 1));
      const { t, columns } = readings.view();
      const newest = Math.max(0, ...times.flat());
      expect([...t]).toEqual([...t].sort((a, b) => a - b));
      expect([...t].every((at) => at >= newest - 1_000)).toBe(true);
      expect(readings.newest).toBe(newest);
      expect(columns[CHANNELS.indexOf("ax")]!.length).toBe(t.length);
    }),
  );
});

test("a message that comes again is dropped, and its parts are not", () => {
  const readings = new Readings(1_000);
  readings.add({ ...message([1, 2], 1, "m"), part: 0 });
  readings.add({ ...message([3, 4], 1, "m"), part: 1 });
  readings.add({ ...message([1, 2], 1, "m"), part: 0 });
  expect([...readings.view().t]).toEqual([1, 2, 3, 4]);
});

test("arrays grow with what is in the span, and no further than the bound", () => {
  const readings = new Readings(1_000_000);
  for (let i = 0; i < 70; i++)
    readings.add(
      message(
        Array.from({ length: 1_000 }, (_, n) => i * 1_000 + n),
        i,
      ),
    );
  const { t, columns } = readings.view();
  expect([t.length, t[0], t.at(-1)]).toEqual([60_000, 10_000, 69_999]);
  expect([columns[0]![0], columns[0]!.at(-1)]).toEqual([10, 69]);
});

test("times without readings are filled in, before what has come and in between; others are not", () => {
  const readings = new Readings(10_000);
  const fill = (start: number): boolean =>
    readings.addWhereEmpty(
      { start, end: start + 1_000 },
      CHANNELS.map(() => 7),
    );
  readings.add(message([5_000, 5_990, 8_010, 9_000], 1));
  expect([4_000, 5_000, 6_000, 7_000, 8_000].map(fill)).toEqual([true, false, true, true, false]);
  // The readings of the newest window may come behind it, and what is older than the span is not kept.
  expect([9_000, -2_000].map(fill)).toEqual([false, false]);
  expect([...readings.view().t]).toEqual([4_500, 5_000, 5_990, 6_500, 7_500, 8_010, 9_000]);
});
