import { expect, test } from "@jest/globals";
import type { SessionRecord } from "../../domain/records.ts";
import { parseSessionId } from "../../domain/records.ts";
import { REMEMBERED_SESSIONS, SessionExtents } from "../../live/session-extents.ts";
import { ended } from "../lambda/records.ts";

test("a session's id names its sensor, which may have colons, and its start, which may have fractions", () => {
  expect(parseSessionId("a:b@1657533977813.25")).toEqual({ sensorId: "a:b", start: 1657533977813.25 });
});

test("samples are within a session while they follow one another within the gap", () => {
  const extents = new SessionExtents(5_000);
  expect(extents.rows("s@1000", 1_000, [0, 999])).toEqual({ from: 2, to: 2 });
  expect(extents.rows("s@1000", 1_000, [999, 1_000, 6_000])).toEqual({ from: 1, to: 3 });
  expect(extents.rows("s@1000", 1_000, [11_000, 16_001])).toEqual({ from: 0, to: 1 });
  // Late, and still within it.
  expect(extents.rows("s@1000", 1_000, [3_000])).toEqual({ from: 0, to: 1 });
  expect(extents.rows("s@1000", 1_000, [16_001])).toEqual({ from: 0, to: 0 });
});

test("an ended session takes what reopens or extends it, and no other session's data", () => {
  const extents = new SessionExtents(5_000);
  extents.learn(ended("s", 1_000, 4_000, 10) as SessionRecord);
  expect(extents.rows("s@1000", 1_000, [9_001])).toEqual({ from: 0, to: 0 });
  expect(extents.overlaps("s@1000", 1_000, { start: 10_000, end: 11_000 })).toBe(false);
  expect(extents.overlaps("s@1000", 1_000, { start: 0, end: 1_000 })).toBe(false);
  expect(extents.overlaps("s@1000", 1_000, { start: 500, end: 1_500 })).toBe(true);
  expect(extents.rows("s@1000", 1_000, [9_000])).toEqual({ from: 0, to: 1 });
});

test("the session that was longest without a sample is let go when there are too many", () => {
  const extents = new SessionExtents(10);
  for (let i = 0; i <= REMEMBERED_SESSIONS; i++) extents.rows(`s${i}@0`, 0, [0]);
  expect(extents.overlaps("s1@0", 0, { start: 1_000, end: 1_001 })).toBe(false);
  expect(extents.overlaps("s0@0", 0, { start: 1_000, end: 1_001 })).toBe(true); // its end isn't known any more
});
