import { describe, expect, test } from "@jest/globals";
import { pages, type AlarmSpec } from "../../domain/alarm-spec.ts";
import { alarms } from "../../domain/alarms.ts";
import { pipelineNames } from "../../domain/pipelines.ts";
import { MINUTE } from "../../domain/time.ts";

const named = (name: string): AlarmSpec => alarms.find((alarm) => alarm.name === name)!;

/** When it comes on at the latest, from when its figure breaches. */
const noticedAfterMs = ({ periodMs, periods }: AlarmSpec): number => periodMs * periods;

test("names are unique, and fit into the names of AWS", () => {
  const names = alarms.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  expect(names.filter((name) => !/^[a-z]+(-[a-z]+)*$/.test(name))).toEqual([]);
});

// The design's list: what pages, and from which value on.
test.each([
  ["dead-letter-flood", "CRITICAL", ">", 100, MINUTE],
  ["brokers-gone", "CRITICAL", ">", 30_000, MINUTE],
  ["no-input-sensor", "CRITICAL", "<=", 0, MINUTE],
  ["lake-delivery-failed", "CRITICAL", ">", 0, 5 * MINUTE],
  ["partition-stopped-sensor", "CRITICAL", ">", 0, MINUTE],
  ["lag-sensor", "HIGH", ">", 50_000, MINUTE],
  ["latency-sensor", "HIGH", ">", 5_000, MINUTE],
  ["completeness-sensor", "HIGH", "<", 95, 5 * MINUTE],
  ["duplicates", "LOW", ">", 5, 5 * MINUTE],
] as const)("%s is %s %s %d", (name, severity, comparison, threshold, periodMs) => {
  expect(named(name)).toMatchObject({ severity, comparison, threshold, periodMs });
});

test("each has a figure or a service's metric, so that something is measured", () => {
  expect(alarms.filter(({ figure, service }) => !figure && !service)).toEqual([]);
});

test("an alarm of one pipeline is there for every pipeline, but for those of the market's way in", () => {
  const named = alarms.flatMap(({ name, pipeline }) =>
    pipeline && !name.startsWith("trades-") ? [[name.replace(`-${pipeline}`, ""), pipeline] as const] : [],
  );
  for (const [name, each] of Map.groupBy(named, ([alarm]) => alarm))
    expect([name, each.map(([, pipeline]) => pipeline)]).toEqual([name, pipelineNames]);
});

describe("an alarm that explains others", () => {
  const pairs = alarms.flatMap((alarm) => (alarm.suppressedBy ?? []).map((cause) => [alarm, cause] as const));

  test.each(pairs.map(([alarm, cause]) => [cause, alarm.name] as const))("%s is noticed before %s", (cause, name) => {
    expect(named(cause)).toBeDefined();
    expect(noticedAfterMs(named(cause))).toBeLessThanOrEqual(noticedAfterMs(named(name)));
  });

  test("pages somebody itself where it keeps a page back", () => {
    const silent = pairs.filter(([alarm, cause]) => pages(alarm.severity) && !pages(named(cause).severity));
    expect(silent).toEqual([]);
  });

  test("is explained by none that it explains", () => {
    const reaches = (from: string, to: string): boolean =>
      (named(from).suppressedBy ?? []).some((cause) => cause === to || reaches(cause, to));
    expect(alarms.filter(({ name }) => reaches(name, name))).toEqual([]);
  });
});
