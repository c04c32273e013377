import type { FeatureValue } from "@aws-sdk/client-sagemaker-featurestore-runtime";
import { EVENT_TIME_FEATURE, featureStatistics, RECORD_IDENTIFIER_FEATURE } from "../../domain/features.ts";
import { windowChannels } from "../../domain/imu.ts";
import type { WindowRecord } from "../../domain/records.ts";

/**
 * Event time of a window's features, epoch ms. A correction is one millisecond later than what it corrects, and earlier
 * than the next window.
 */
function featureTime({ window, revision }: WindowRecord): number {
  return window.end + revision;
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

/** A window as a record of the feature group, in the order of `features`. */
export function toFeatureRecord(record: WindowRecord): FeatureValue[] {
  const { sensorId, window, revision, count, channels } = record;
  const values: [string, string | number][] = [
    [RECORD_IDENTIFIER_FEATURE, sensorId],
    [EVENT_TIME_FEATURE, new Date(featureTime(record)).toISOString()],
    ["window_start", window.start],
    ["window_end", window.end],
    ["revision", revision],
    ["count", count],
    ...windowChannels.flatMap((channel) =>
      featureStatistics.map((statistic): [string, number] => [
        `${channel.toLowerCase()}_${statistic}`,
        channels[channel][statistic],
      ]),
    ),
  ];
  return values.map(([name, value]) => ({ FeatureName: name, ValueAsString: String(value) }));
}
