import { expect, test } from "@jest/globals";
import { sessionsOf, windowsOf } from "../../bench/store-records.ts";
import { sessionRecord, windowRecord } from "../../domain/records.ts";

const DAY_START = 1_800_000_000_000;

test("a day of a sensor has 86,400 windows and 2,160 sessions, as the processor writes them", () => {
  const windows = windowsOf("s", DAY_START, DAY_START + 86_400_000);
  expect(windows).toHaveLength(86_400);
  expect(windows[1]).toMatchObject({ operator: "tumbling-1000", window: { start: 1_800_000_001_000 } });
  expect(() => windowRecord.parse(windows[1])).not.toThrow();
  const sessions = sessionsOf("s", DAY_START, DAY_START + 86_400_000);
  expect(sessions.filter(({ type }) => type === "started")).toHaveLength(2_160);
  for (const session of [sessions[0], sessions.at(-1)]) expect(() => sessionRecord.parse(session)).not.toThrow();
});

test("a session starts in one time, and ends in the next", () => {
  expect(sessionsOf("s", DAY_START, DAY_START + 25_000).map(({ type }) => type)).toEqual(["started"]);
  expect(sessionsOf("s", DAY_START + 25_000, DAY_START + 40_000)).toMatchObject([
    { type: "ended", sessionId: "s@1800000000000", end: 1_800_000_025_000 },
  ]);
});
