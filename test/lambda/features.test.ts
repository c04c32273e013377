import { expect, test } from "@jest/globals";
import { features } from "../../domain/features.ts";
import type { WindowRecord } from "../../domain/records.ts";
import { toFeatures } from "../../lambda/read-sensors/features.ts";
import { featureTime, newestPerSensor, toFeatureRecord } from "../../lambda/write-features/feature-record.ts";
import { windowed } from "./records.ts";

const window = (sensorId: string, start: number, revision = 0): { value: WindowRecord } => ({
  value: windowed(sensorId, start, { revision }) as WindowRecord,
});

test("a window's record has the features of the group, at its end plus a microsecond per revision", () => {
  const record = toFeatureRecord(window("s1", 1_657_533_977_000, 3).value);
  expect(record.map(({ FeatureName }) => FeatureName)).toEqual(features.map(({ name }) => name));
  const values = Object.fromEntries(record.map(({ FeatureName, ValueAsString }) => [FeatureName!, ValueAsString]));
  expect(values).toMatchObject({
    sensor_id: "s1",
    event_time: "1657533978.000003",
    window_start: "1657533977000",
    window_end: "1657533978000",
    revision: "3",
    count: "100",
    ax_mean: "0.5",
    gyromag_rms: "7.6",
  });
});

test("features come back as numbers", () => {
  expect(toFeatures("s1", toFeatureRecord(window("s1", 1_657_533_977_000).value))).toMatchObject({
    sensorId: "s1",
    eventTime: 1_657_533_978_000,
    features: { window_end: 1_657_533_978_000, count: 100, ax_mean: 0.5, accmag_std: 0.25 },
  });
});

test("a window that is corrected often does not win over a newer one", () => {
  const often = window("s1", 1_657_533_977_000, 130).value;
  const next = { ...window("s1", 1_657_533_977_100).value, operator: "sliding-1000-100" };
  expect(featureTime(often)).toBeLessThan(featureTime(next));
  const endless = { ...often, operator: "sliding-1000-1", revision: 1e9 };
  expect(featureTime(endless)).toBe(1_657_533_978_000_999);
  expect(toFeatures("s1", toFeatureRecord(often)).eventTime).toBe(1_657_533_978_000.13);
});

test("event times a microsecond apart are different doubles of seconds, for as long as dates have four digits", () => {
  for (const end of [1_451_606_400_000, 1_657_533_978_000, 4_102_444_800_000])
    for (let revision = 0; revision < 1_000; revision++) {
      const [one, other] = [revision, revision + 1].map((r) =>
        Number(toFeatureRecord(window("s", end - 1_000, r).value)[1]!.ValueAsString),
      );
      expect(one).toBeLessThan(other!);
    }
});

test("a figure that is null is left out", () => {
  const { value } = window("s1", 0);
  const channels = { ...value.channels, ax: { ...value.channels.ax, std: null } };
  const names = toFeatureRecord({ ...value, channels } as never).map(({ FeatureName }) => FeatureName);
  expect(names).not.toContain("ax_std");
  expect(names).toContain("ax_mean");
  expect(names).toHaveLength(features.length - 1);
});

test("the newest revision of the newest window of each sensor counts", () => {
  const all = [
    window("a", 2_000),
    window("a", 1_000, 5),
    window("b", 0),
    window("a", 2_000, 1),
    window("b", 0, 1),
    window("a", 0),
  ];
  expect(newestPerSensor(all)).toEqual([all[3], all[4]]);
});
