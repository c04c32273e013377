import { describe, expect, test } from "@jest/globals";
import { featureGroups } from "../../../domain/features.ts";
import {
  canaryRecord,
  differences,
  earlierRun,
  isOffline,
  verdict,
  type GroupFindings,
  type Newest,
} from "../../../lambda/check-features/check.ts";

const NOW = 1_783_764_000_000;
const SECONDS = NOW / 1_000;
const MINUTES = 60;

describe("the check's own record", () => {
  const expected = canaryRecord(featureGroups.sensorWindows, NOW, 7, NOW - 5);

  test("has every feature, and comes back with those that differ", () => {
    expect(expected.map(({ FeatureName }) => FeatureName)).toEqual(
      featureGroups.sensorWindows.features.map(({ name }) => name),
    );
    expect(differences(expected, expected)).toEqual([]);
    expect(
      differences(
        expected,
        expected.map((feature) => (feature.FeatureName === "count" ? { ...feature, ValueAsString: "8" } : feature)),
      ),
    ).toEqual(["count is 8, expected 7"]);
    expect(differences(expected, expected.slice(1))).toEqual(["sensor_id is absent, expected #millrace-check"]);
  });

  test("tells the next run when it was written, and since when there are checks", () => {
    expect(expected.find(({ FeatureName }) => FeatureName === "event_time")?.ValueAsString).toBe("1783764000.000000");
    expect(earlierRun(expected)).toEqual({ atMs: NOW, sinceMs: NOW - 5 });
    expect(earlierRun([])).toBeNull();
    // Those of the release before had the marker of the run there.
    expect(earlierRun(canaryRecord(featureGroups.sensorWindows, NOW, 7, 7))).toBeNull();
  });
});

describe("the verdict", () => {
  const findings = (more: Partial<GroupFindings> = {}): GroupFindings => ({
    group: "g",
    offlineCanary: SECONDS - 5 * MINUTES,
    earlier: { atMs: NOW - 5 * MINUTES * 1_000, sinceMs: NOW - 86_400_000 },
    newest: [],
    expectsRecords: false,
    nowMs: NOW,
    ...more,
  });
  const newest = (more: Partial<Newest> = {}): Newest => ({
    identifier: "s1",
    online: SECONDS - 2,
    offline: SECONDS - 2,
    isDeleted: false,
    ...more,
  });

  test("says whether the offline store has all that is online", () => {
    expect(isOffline([newest(), newest({ offline: SECONDS })])).toBe(true);
    expect(isOffline([newest(), newest({ offline: SECONDS - 3 })])).toBe(false);
    expect(isOffline([newest({ offline: null })])).toBe(false);
    // A record that was deleted online is nothing to look for.
    expect(isOffline([newest({ online: null })])).toBe(false);
    expect(isOffline([])).toBe(false);
  });

  test("finds the newest record in both stores", () => {
    const older = newest({ identifier: "s2", online: SECONDS - 3, offline: SECONDS - 3 });
    expect(verdict(findings({ newest: [older, newest()] }))).toEqual({
      found: [
        "the offline store has the check before this one",
        "the newest record online is s1 of 2026-07-11T09:59:58.000Z, 2.0 s old; the offline store has it",
      ],
      missing: [],
    });
  });

  test("says of a bar that fired when its symbol fell silent that its end is ahead", () => {
    const ahead = newest({ online: SECONDS + 200, offline: SECONDS + 200 });
    expect(verdict(findings({ newest: [ahead] })).found[1]).toMatch(/3.3 min ahead; the offline store has it$/);
  });

  test.each([
    ["that is as young as a record may be", { offline: null }, "the offline store has none of it"],
    ["whose newest is older", { offline: SECONDS - 302 }, "the offline store is 5.0 min behind"],
  ])("says how far the offline store is behind a record %s", (_, more, sentence) => {
    const { found, missing } = verdict(findings({ newest: [newest(more)] }));
    expect(missing).toEqual([]);
    expect(found[1]).toMatch(new RegExp(`2.0 s old; ${sentence}$`));
  });

  test.each([
    ["nothing", { online: SECONDS - 21 * MINUTES, offline: null }, "21.0 min old; the offline store has none of it"],
    ["an older record", { online: SECONDS - 21 * MINUTES, offline: SECONDS - 31 * MINUTES }, "is 10.0 min behind"],
  ])("misses a record that has been online for over 20 minutes, of which the offline store has %s", (_, more, text) => {
    expect(verdict(findings({ newest: [newest(more)] })).missing).toEqual([expect.stringContaining(text)]);
    const young = { ...more, online: SECONDS - 19 * MINUTES };
    expect(verdict(findings({ newest: [newest(young)] })).missing).toEqual([]);
  });

  test("misses a record online that the offline store has, unless it was deleted", () => {
    const gone = newest({ online: null });
    expect(verdict(findings({ newest: [gone, newest({ identifier: "s2" })] })).missing).toEqual([
      "the online store lacks s1, whose newest record offline is of 2026-07-11T09:59:58.000Z",
    ]);
    expect(verdict(findings({ newest: [{ ...gone, isDeleted: true }] })).missing).toEqual([]);
  });

  test("a group without records is wrong where some are expected", () => {
    const sentence = expect.stringContaining("neither store has a record");
    expect(verdict(findings()).missing).toEqual([]);
    expect(verdict(findings({ newest: [newest({ online: null, offline: null })] })).found).toContainEqual(sentence);
    expect(verdict(findings({ expectsRecords: true })).missing).toEqual([sentence]);
  });

  test("the checks themselves must come to the offline store, with devices or without", () => {
    const hours = (sinceMs: number): GroupFindings["earlier"] => ({ atMs: NOW - 5 * MINUTES * 1_000, sinceMs });
    const none = { offlineCanary: null };
    expect(verdict(findings({ ...none, earlier: null })).missing).toEqual([]);
    expect(verdict(findings({ ...none, earlier: hours(NOW - 19 * MINUTES * 1_000) })).missing).toEqual([]);
    expect(verdict(findings({ ...none, earlier: hours(NOW - 21 * MINUTES * 1_000) })).missing).toEqual([
      "the offline store has none of the checks of 21.0 min",
    ]);
    expect(verdict(findings({ offlineCanary: SECONDS - 20 * MINUTES })).found).toContain(
      "the offline store is 15.0 min behind the check before this one; 20.0 min are allowed",
    );
    expect(verdict(findings({ offlineCanary: SECONDS - 26 * MINUTES })).missing).toEqual([
      "the offline store is 21.0 min behind the check before this one; 20.0 min are allowed",
    ]);
    expect(verdict(findings({ offlineCanary: SECONDS, earlier: null })).found).toContain(
      "the offline store has this check already",
    );
  });
});
