import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { alarms } from "../../domain/alarms.ts";
import { readAlarmProfile } from "../../local/alarm-profile.ts";

let folder: string;
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), "millrace-alarms-"))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function profile(json: string): string {
  const file = join(folder, "alarms.json");
  writeFileSync(file, json);
  return file;
}

test("without a file the alarms are those of the table", () => {
  expect(readAlarmProfile(undefined)).toEqual({ periodFactor: 1, alarms });
});

test("a factor shortens all periods but those that are given, and what is not named stays", () => {
  const { periodFactor, alarms: changed } = readAlarmProfile(
    profile('{"periodFactor":0.05,"alarms":{"lag-sensor":{"threshold":500,"periodMs":2000,"periods":1}}}'),
  );
  const of = (name: string): unknown => {
    const { threshold, periodMs, periods } = changed.find((alarm) => alarm.name === name)!;
    return { threshold, periodMs, periods };
  };
  expect(periodFactor).toBe(0.05);
  expect(of("lag-sensor")).toEqual({ threshold: 500, periodMs: 2_000, periods: 1 });
  // A minute and three periods in the table.
  expect(of("lag-market")).toEqual({ threshold: 50_000, periodMs: 3_000, periods: 3 });
});

test("every problem is named", () => {
  const file = profile('{"periodFactor":2,"alarms":{"lag":{}},"thresholds":{}}');
  expect(() => readAlarmProfile(file)).toThrow(/--alarms .*periodFactor: .*lag.*thresholds/s);
  expect(() => readAlarmProfile(profile("{"))).toThrow(/expected a JSON file/);
  expect(() => readAlarmProfile(join(folder, "none.json"))).toThrow(/ENOENT/);
});
