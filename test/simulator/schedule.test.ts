import { describe, expect, test } from "@jest/globals";
import { Schedule } from "../../simulator/schedule.ts";

const startedAt = 1_700_000_000_000;

describe("the schedule", () => {
  test("in real time, readings are taken now and published at their time", () => {
    const schedule = new Schedule({ startedAt, speed: 1, historyMs: 60_000 });
    for (const moment of [0, 1.5, 60_000, 1e7]) {
      expect(schedule.eventTime(moment)).toBe(startedAt + moment);
      expect(schedule.dueAt(moment)).toBe(startedAt + moment);
    }
  });

  test("at speed 10, a minute of history lasts 6 s, begins 54 s ago and ends now; the rest is real time", () => {
    const schedule = new Schedule({ startedAt, speed: 10, historyMs: 60_000 });
    expect([schedule.eventTime(0), schedule.dueAt(0)]).toEqual([startedAt - 54_000, startedAt]);
    expect([schedule.eventTime(30_000), schedule.dueAt(30_000)]).toEqual([startedAt - 24_000, startedAt + 3_000]);
    expect([schedule.eventTime(60_000), schedule.dueAt(60_000)]).toEqual([startedAt + 6_000, startedAt + 6_000]);
    expect([schedule.eventTime(70_000), schedule.dueAt(70_000)]).toEqual([startedAt + 16_000, startedAt + 16_000]);
  });

  test("no reading is published before it is taken, at any speed", () => {
    for (const speed of [0.1, 0.5, 1, 2, 10, 1_000]) {
      const schedule = new Schedule({ startedAt, speed, historyMs: 12_345 });
      for (let moment = 0; moment < 30_000; moment += 500)
        expect(schedule.eventTime(moment)).toBeLessThanOrEqual(schedule.dueAt(moment) + 0.5);
    }
  });

  test("at half the speed it takes twice the time", () => {
    const schedule = new Schedule({ startedAt, speed: 0.5, historyMs: 1_000 });
    expect(schedule.dueAt(10_000) - schedule.dueAt(0)).toBe(20_000);
    expect(schedule.eventTime(10_000) - schedule.eventTime(0)).toBe(10_000);
  });
});
