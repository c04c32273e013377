import { expect, test } from "@jest/globals";
import { featureGroups } from "../../domain/features.ts";
import type { BarRecord, WindowRecord } from "../../domain/records.ts";
import { toFeatures } from "../../lambda/shared/features.ts";
import { barFeatures, featureTime, newestOfEach, windowFeatures } from "../../lambda/write-features/feature-record.ts";
import { barred, windowed } from "./records.ts";

const window = (sensorId: string, start: number, revision = 0): { value: WindowRecord } => ({
  value: windowed(sensorId, start, { revision }) as WindowRecord,
});

test("a window's record has the features of the group, at its end plus a microsecond per revision", () => {
  const record = windowFeatures(window("s1", 1_657_533_977_000, 3).value);
  expect(record.map(({ FeatureName }) => FeatureName)).toEqual(
    featureGroups.sensorWindows.features.map(({ name }) => name),
  );
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
  expect(toFeatures(featureGroups.sensorWindows, windowFeatures(window("s1", 1_657_533_977_000).value))).toMatchObject({
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
  expect(toFeatures(featureGroups.sensorWindows, windowFeatures(often)).eventTime).toBe(1_657_533_978_000.13);
});

test("event times a microsecond apart are different doubles of seconds, for as long as dates have four digits", () => {
  for (const end of [1_451_606_400_000, 1_657_533_978_000, 4_102_444_800_000])
    for (let revision = 0; revision < 1_000; revision++) {
      const [one, other] = [revision, revision + 1].map((r) =>
        Number(windowFeatures(window("s", end - 1_000, r).value)[1]!.ValueAsString),
      );
      expect(one).toBeLessThan(other!);
    }
});

test("a figure that is null is left out", () => {
  const { value } = window("s1", 0);
  const channels = { ...value.channels, ax: { ...value.channels.ax, std: null } };
  const names = windowFeatures({ ...value, channels } as never).map(({ FeatureName }) => FeatureName);
  expect(names).not.toContain("ax_std");
  expect(names).toContain("ax_mean");
  expect(names).toHaveLength(featureGroups.sensorWindows.features.length - 1);
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
  expect(newestOfEach(all, ({ sensorId }) => sensorId)).toEqual([all[3], all[4]]);
});

test("a bar's record has the features of its group, by symbol and operator; what nobody knows is left out", () => {
  const bar = barred("BRK.B", 1_657_533_960_000, { revision: 2, cancelled: 1 }) as BarRecord;
  const record = barFeatures(bar);
  expect(record.map(({ FeatureName }) => FeatureName)).toEqual(
    featureGroups.marketBars.features.map(({ name }) => name),
  );
  expect(Object.fromEntries(record.map(({ FeatureName, ValueAsString }) => [FeatureName!, ValueAsString]))).toEqual({
    symbol_operator: "BRK.B|tumbling-60000",
    event_time: "1657534020.000002",
    symbol: "BRK.B",
    operator: "tumbling-60000",
    window_start: "1657533960000",
    window_end: "1657534020000",
    revision: "2",
    count: "2",
    pending: "0",
    cancelled: "1",
    open: "150",
    high: "152.25",
    low: "150",
    close: "152.25",
    volume: "30",
    vwap: "151.5",
    notional_sum: "4545",
    notional_mean: "2272.5",
    notional_min: "1500",
    notional_max: "3045",
    first_trade: "1657533961000",
    last_trade: "1657533970000",
  });
  const silent = barFeatures({ ...bar, close: null, lastTrade: null, notional: { ...bar.notional, min: null } });
  const left = record.filter(({ FeatureName }) => !["close", "last_trade", "notional_min"].includes(FeatureName!));
  expect(silent).toEqual(left);
  expect(toFeatures(featureGroups.marketBars, silent)).toMatchObject({
    eventTime: 1_657_534_020_000.002,
    features: { symbol: "BRK.B", open: 150, cancelled: 1 },
  });
});
