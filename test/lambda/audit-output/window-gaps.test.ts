import { expect, test } from "@jest/globals";
import type { WindowSight } from "../../../lambda/audit-output/outputs.ts";
import { MAX_KEYS, MAX_OPEN, WindowGaps } from "../../../lambda/audit-output/window-gaps.ts";

const T = 1_657_533_977_000;
const options = { idleTimeoutMs: 10_000, latenessMs: 300_000 };

/** The window that begins `second` seconds after T. */
function sight(second: number, more: Partial<WindowSight> = {}): WindowSight {
  const start = T + second * 1_000;
  return {
    key: "s1",
    operator: "tumbling-1000",
    window: { start, end: start + 1_000 },
    revision: 0,
    cause: "watermark",
    readings: 100,
    extent: null,
    ...more,
  };
}
/** Takes windows; what is missing for good, and what is open. */
function after(gaps: WindowGaps, ...sights: WindowSight[]): [missing: number, open: number] {
  const missing = sights.reduce((sum, one) => sum + gaps.take(one), 0);
  return [missing, gaps.open];
}
/** A window that lets all gaps before it be given up. */
const MUCH_LATER = 1_000;

test("neighbours without a hole miss nothing", () => {
  expect(after(new WindowGaps(options), sight(0), sight(1), sight(2), sight(MUCH_LATER))).toEqual([0, 0]);
});

test("windows between two with traffic are open, and missing when the lateness is over", () => {
  const gaps = new WindowGaps(options);
  expect(after(gaps, sight(0), sight(3))).toEqual([0, 2]);
  // A window takes late readings until the watermark has reached its end + 300 s: 302 s for [1, 2), 303 s for [2, 3).
  expect(after(gaps, sight(4), sight(300))).toEqual([0, 2]);
  expect(after(gaps, sight(301))).toEqual([1, 1]);
  expect(after(gaps, sight(302))).toEqual([1, 0]);
});

test("a window that comes late fills its hole, whatever its revision", () => {
  const gaps = new WindowGaps(options);
  expect(after(gaps, sight(0), sight(3), sight(1, { cause: "late", readings: 5 }))).toEqual([0, 1]);
  expect(after(gaps, sight(2, { revision: 1, cause: "late" }), sight(MUCH_LATER))).toEqual([0, 0]);
});

test.each([
  ["longer than the idle timeout", [sight(0), sight(12)]],
  ["behind a window that fired as idle", [sight(0, { cause: "idle" }), sight(3)]],
  ["behind a window that a change of settings fired", [sight(0, { cause: "settings" }), sight(3)]],
  ["behind a window that was half full", [sight(0), sight(1, { readings: 50 }), sight(4)]],
  ["before a window that is half full", [sight(0), sight(3, { readings: 50 })]],
  ["between windows of few readings, which may have none by chance", [sight(0, { readings: 19 }), sight(3)]],
  ["in a sliding operator", [sight(0, { operator: "sliding-1000-500" }), sight(3, { operator: "sliding-1000-500" })]],
  ["of another sensor", [sight(0), sight(3, { key: "s2" })]],
  ["of another operator", [sight(0), sight(3, { operator: "tumbling-500" })]],
])("a hole is none: %s", (_, sights) => {
  expect(after(new WindowGaps(options), ...sights, sight(MUCH_LATER))).toEqual([0, 0]);
});

test("a hole of exactly the idle timeout counts, as its sensor was not silent for longer", () => {
  expect(after(new WindowGaps(options), sight(0), sight(11))).toEqual([0, 10]);
});

test("bars say when their trades were: what counts is traffic up to the hole, not how many trades are usual", () => {
  const bar = (minute: number, readings: number, first: number, last: number): WindowSight => {
    const start = T - (T % 60_000) + minute * 60_000;
    const window = { start, end: start + 60_000 };
    return sight(0, {
      key: "AAPL",
      operator: "tumbling-60000",
      window,
      readings,
      extent: { first: start + first, last: start + last },
    });
  };
  // A bar's length is over the idle timeout: one bar may be missing, and no more.
  expect(after(new WindowGaps(options), bar(0, 300, 50, 59_000), bar(2, 25, 6_000, 59_999))).toEqual([0, 1]);
  expect(after(new WindowGaps(options), bar(0, 300, 50, 59_000), bar(3, 300, 50, 59_999))).toEqual([0, 0]);
  // The last trade before the hole was 6.001 s before it: more than a tenth of the minute.
  expect(after(new WindowGaps(options), bar(0, 300, 50, 53_999), bar(2, 300, 50, 59_999))).toEqual([0, 0]);
  expect(after(new WindowGaps(options), bar(0, 300, 50, 59_000), bar(2, 300, 6_001, 59_999))).toEqual([0, 0]);
});

test("a slower rate becomes usual: a tenth less with each window", () => {
  // 0.9^6 × 200 = 106: from the sixth window on, 100 readings are at least nine tenths of what is usual.
  const slower = [sight(0, { readings: 200 }), ...[1, 2, 3, 4, 5, 6, 7].map((second) => sight(second))];
  expect(after(new WindowGaps(options), ...slower.slice(0, 3), sight(5))).toEqual([0, 0]);
  expect(after(new WindowGaps(options), ...slower, sight(9))).toEqual([0, 1]);
});

test("over the bound of open windows, what finds no room is missing at once", () => {
  const hour = 3_600_000;
  const gaps = new WindowGaps({ idleTimeoutMs: hour, latenessMs: hour });
  expect(after(gaps, sight(0), sight(MAX_OPEN + 6))).toEqual([5, MAX_OPEN]);
});

test("over the bound of sensors, a new one waits until one has been silent for longer than the lateness", () => {
  const gaps = new WindowGaps(options);
  for (let i = 0; i < MAX_KEYS; i++) gaps.take(sight(0, { key: `s${i}` }));
  expect(after(gaps, sight(0, { key: "new" }), sight(3, { key: "new" }))).toEqual([0, 0]);
  expect(gaps.keys).toBe(MAX_KEYS);
  // s0 continues with a hole; then s1 is the one that was longest without a window.
  expect(after(gaps, sight(3, { key: "s0" }))).toEqual([0, 2]);
  expect(after(gaps, sight(300, { key: "new" }), sight(303, { key: "new" }))).toEqual([0, 4]);
  expect(gaps.keys).toBe(MAX_KEYS);
});
