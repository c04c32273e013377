import { expect, test } from "@jest/globals";
import { features } from "../../domain/features.ts";
import type { WindowRecord } from "../../domain/records.ts";
import { toFeatures } from "../../lambda/read-sensors/features.ts";
import { newestPerSensor, toFeatureRecord } from "../../lambda/write-features/feature-record.ts";
import { windowed } from "./records.ts";

const window = (sensorId: string, start: number, revision = 0): { value: WindowRecord } => ({
  value: windowed(sensorId, start, { revision }) as WindowRecord,
});

test("a window's record has the features of the group, at its end plus its revision in ms", () => {
  const record = toFeatureRecord(window("s1", 1_657_533_977_000, 3).value);
  expect(record.map(({ FeatureName }) => FeatureName)).toEqual(features.map(({ name }) => name));
  const values = Object.fromEntries(record.map(({ FeatureName, ValueAsString }) => [FeatureName!, ValueAsString]));
  expect(values).toMatchObject({
    sensor_id: "s1",
    event_time: "2022-07-11T10:06:18.003Z",
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
