import type { FeatureValue } from "@aws-sdk/client-sagemaker-featurestore-runtime";
import { EVENT_TIME_FEATURE, featureStatistics, RECORD_IDENTIFIER_FEATURE } from "../../domain/features.ts";
import { windowChannels } from "../../domain/imu.ts";
import type { WindowRecord } from "../../domain/records.ts";

/** Errors of Feature Store about the record itself: another try would give them again. */
const REFUSALS: ReadonlySet<string> = new Set(["ValidationError", "ValidationException"]);

/** Whether the feature store would refuse the same record again. */
export function isRefusal(error: unknown): boolean {
  return error instanceof Error && REFUSALS.has(error.name);
}

/**
 * Event time of a window's features, epoch microseconds: a correction is one microsecond later than what it corrects,
 * and earlier than the next window, however often a window is corrected.
 */
export function featureTime({ window, operator, revision }: WindowRecord): number {
  const slideMs = Number(operator.slice(operator.lastIndexOf("-") + 1));
  const toNext = Number.isFinite(slideMs) ? slideMs * 1_000 : Infinity;
  return window.end * 1_000 + Math.min(revision, toNext - 1);
}

/** The newest window of each sensor, as the feature store keeps one record per sensor. */
export function newestPerSensor<T extends { readonly value: WindowRecord }>(windows: readonly T[]): T[] {
  const newest = new Map<string, T>();
  for (const item of windows) {
    const known = newest.get(item.value.sensorId);
    if (!known || featureTime(item.value) > featureTime(known.value)) newest.set(item.value.sensorId, item);
  }
  return [...newest.values()];
}

/** A window as a record of the feature group, in the order of `features`. Figures that are null are left out. */
export function toFeatureRecord(record: WindowRecord): FeatureValue[] {
  const { sensorId, window, revision, count, channels } = record;
  const values: [string, string | number | null][] = [
    [RECORD_IDENTIFIER_FEATURE, sensorId],
    [EVENT_TIME_FEATURE, (featureTime(record) / 1e6).toFixed(6)],
    ["window_start", window.start],
    ["window_end", window.end],
    ["revision", revision],
    ["count", count],
    ...windowChannels.flatMap((channel) =>
      featureStatistics.map((statistic): [string, number | null] => [
        `${channel.toLowerCase()}_${statistic}`,
        channels[channel][statistic],
      ]),
    ),
  ];
  return values
    .filter(([, value]) => value !== null)
    .map(([name, value]) => ({ FeatureName: name, ValueAsString: String(value) }));
}
