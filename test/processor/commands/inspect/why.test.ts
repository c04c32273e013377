import { expect, test } from "@jest/globals";
import { defaultSemantics } from "../../../../domain/semantics.ts";
import { endOf } from "../../../../processor/commands/inspect/report.ts";
import {
  type AskedWindow,
  sessionSentence,
  type Situation,
  untilReached,
  waitingSentence,
  watermarkSentence,
  whyOf,
} from "../../../../processor/commands/inspect/why.ts";

/** Noon of some day. Times below are milliseconds behind it. */
const NOON = Date.UTC(2026, 0, 31, 12);
const at = (time: number): string => new Date(NOON + time).toISOString();

/** The newest reading is 4.3 s behind noon, so the watermark is at 3.8 s. The sensor has been silent for a second. */
const situation = (given: Partial<Situation["key"]> = {}, more: Partial<Situation> = {}): Situation => ({
  settings: {
    outOfOrdernessMs: 500,
    allowedLatenessMs: 60_000,
    idleTimeoutMs: 10_000,
    sessionGapMs: 5_000,
    watermark: "sensor",
  },
  key: {
    presence: "active",
    maxEventTime: NOON + 4_300,
    watermark: NOON + 3_800,
    finalUpTo: -Infinity,
    silentFor: 1_000,
    ...given,
  },
  maxEventTime: NOON + 9_000,
  clock: NOON + 6_000,
  committed: 17,
  now: NOON + 7_000,
  ...more,
});

const window = (start: number, given: Partial<AskedWindow> = {}): AskedWindow => ({
  operator: "tumbling-1000",
  start: NOON + start,
  end: NOON + start + 1_000,
  kept: null,
  last: null,
  coming: [],
  ...given,
});

const kept = (start: number, fired: number, due: boolean) => ({
  operator: "tumbling-1000",
  start: NOON + start,
  end: NOON + start + 1_000,
  count: 4,
  fired,
  due,
});

const firing = (revision: number, offset: number, time: number | null) => ({
  id: `imu-data-all/3/${offset}/0`,
  revision,
  cause: "watermark",
  count: 4,
  offset,
  at: time === null ? null : NOON + time,
});

test("a window that has not ended: how far the watermark is, and which reading would bring it there", () => {
  // [4, 5) fires at 5 s: 1.2 s behind 3.8 s. With a bound of 0.5 s that takes a reading of 5.5 s.
  expect(whyOf(window(4_000, { kept: kept(4_000, 0, true) }), situation())).toBe(
    `it has 4 readings and has not fired: the watermark must reach ${at(5_000)} and is 1.2 s behind, because the ` +
      `newest reading of the sensor is of ${at(4_300)}, before that. A reading of ${at(5_500)} or later gets it ` +
      "there, or silence: it has been silent for 1 s of 10 s",
  );
});

test("a window that has ended by the readings, but not by the watermark: the bound holds it", () => {
  expect(untilReached(NOON + 4_000, situation())).toContain(
    `is 0.2 s behind, because the watermark stays 0.5 s behind the newest reading of the sensor, ${at(4_300)}.`,
  );
});

test("where the watermark is the partition's, its newest reading counts", () => {
  const shared = situation({ watermark: NOON + 8_500 }, {});
  const settings = { ...shared.settings, watermark: "partition" } as const;
  expect(untilReached(NOON + 9_000, { ...shared, settings })).toContain(
    `stays 0.5 s behind the newest reading of the partition, ${at(9_000)}.`,
  );
});

test("a partition without ticks: silence does not pass", () => {
  const quiet = situation({}, { now: NOON + 66_000 });
  expect(watermarkSentence(quiet)).toBe(
    `${at(3_800)}, 0.5 s behind the newest reading of the sensor (the bound is 0.5 s); it has been silent for 1 s of ` +
      "10 s, and that does not grow: the partition has had no record, and no tick of the bridge, for 60 s",
  );
});

test("an idle sensor's watermark stays", () => {
  expect(watermarkSentence(situation({ presence: "idle" }))).toContain(
    "it is idle: what it had open has fired, and the watermark stays until it sends again",
  );
});

test("a window that fired: when, and until when it may fire again", () => {
  const fired = window(1_000, { kept: kept(1_000, 1, false), last: firing(0, 12, 2_600) });
  expect(whyOf(fired, situation())).toBe(
    `it was fired as revision 0 at ${at(2_600)} (cause watermark, 4 readings, id imu-data-all/3/12/0). It fires ` +
      `again only if a reading for it comes before the watermark reaches ${at(62_000)}`,
  );
});

test("a window that fires in a step which its task has not committed", () => {
  const late = window(1_000, { kept: kept(1_000, 1, false), coming: [firing(0, 20, null)] });
  expect(whyOf(late, situation())).toContain(
    "revision 0 fires in the step of offset 20 (cause watermark), which the task has not committed yet: it has " +
      "committed the offsets below 17. It fires again only if",
  );
  expect(whyOf(late, situation({}, { committed: null }))).toContain("it has committed nothing");
});

test("a window that fired and has changed since", () => {
  const changed = window(3_000, { kept: kept(3_000, 1, true), last: firing(0, 12, 5_000) });
  expect(whyOf(changed, situation())).toContain(
    `It has changed since revision 0: the watermark must reach ${at(4_000)} and is 0.2 s behind`,
  );
});

test("windows that the state does not have", () => {
  // [5, 6): nothing of it has come. [2, 3): the watermark has passed it, and it takes late readings until 63 s.
  expect(whyOf(window(5_000), situation())).toBe(
    `it is empty so far: no reading for it has come, and the newest one of the sensor is of ${at(4_300)}`,
  );
  expect(whyOf(window(2_000), situation())).toBe(
    "it was empty when the watermark passed it, and a window without readings does not fire. A reading for it that " +
      `comes before the watermark reaches ${at(63_000)} still makes it fire`,
  );
  // It ended at -59 s, so a lateness of a minute ended at 1 s.
  expect(whyOf(window(-60_000), situation())).toBe(
    `it is closed: the watermark has passed ${at(1_000)}, its end and the allowed lateness, and readings for it are ` +
      "late. No firing of it was found: it was empty, or fired longer ago than its topic was searched",
  );
  expect(whyOf(window(2_000), situation({ finalUpTo: NOON + 2_000 }))).toContain(
    `it is final: an expiry or a change of settings closed what begins at or before ${at(2_000)}`,
  );
  const never = situation({ watermark: -Infinity, maxEventTime: -Infinity });
  expect(whyOf(window(2_000), never)).toBe("it is empty: no reading was accepted yet");
});

test("a session, and an order buffer", () => {
  const session = { start: NOON, last: NOON + 4_300, samples: 16, ended: 0, due: true };
  expect(sessionSentence(session, situation())).toContain(
    `ends 5 s behind its last sample: the watermark must reach ${at(9_300)} and is 5.5 s behind`,
  );
  const waiting = { boot: "b1", next: 3, messages: 1, bytes: 224, first: 4, firstTime: NOON + 4_000 };
  expect(waitingSentence(waiting, situation())).toContain(
    `1 message waits for seq 3 of boot b1 (224 bytes). Without it: the watermark must reach ${at(4_000)}`,
  );
  expect(waitingSentence({ ...waiting, first: 6 }, situation())).toContain("waits for seq 3 to 5 of boot b1");
  const empty = { ...waiting, messages: 0, bytes: 0, first: null, firstTime: Infinity };
  expect(waitingSentence(empty, situation())).toBe("nothing waits; seq 3 of boot b1 is released at once");
});

test("a window that can't be is refused, and the message has those that can", () => {
  expect(endOf("sensor", defaultSemantics, { operator: "tumbling-1000", start: 5_000 })).toBe(6_000);
  expect(endOf("market", defaultSemantics, { operator: "sliding-300000-60000", start: 60_000 })).toBe(360_000);
  expect(() => endOf("sensor", defaultSemantics, { operator: "tumbling-500", start: 0 })).toThrow(
    "--window names the operator tumbling-500; there is tumbling-1000",
  );
  expect(() => endOf("sensor", defaultSemantics, { operator: "tumbling-1000", start: 5_200 })).toThrow(
    "no window of tumbling-1000 starts at 5200; the nearest ones start at 5000 and 6000",
  );
});
