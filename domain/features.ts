import { windowChannels } from "./imu.ts";

/** A feature of the feature group `millrace-<env>-sensor-windows-v2`: the newest window of each sensor. */
export interface FeatureSpec {
  readonly name: string;
  readonly type: "String" | "Integral" | "Fractional";
  readonly doc: string;
}

export const RECORD_IDENTIFIER_FEATURE = "sensor_id";
/** Window end + revision × 1 µs, in epoch seconds: a correction replaces what it corrects, and nothing newer. */
export const EVENT_TIME_FEATURE = "event_time";
export const featureStatistics = ["mean", "std", "min", "max", "rms"] as const;

export const features: readonly FeatureSpec[] = [
  { name: RECORD_IDENTIFIER_FEATURE, type: "String", doc: "the sensor" },
  { name: EVENT_TIME_FEATURE, type: "Fractional", doc: "window end + revision × 1 µs, epoch seconds" },
  { name: "window_start", type: "Fractional", doc: "first instant of the window, epoch ms" },
  { name: "window_end", type: "Fractional", doc: "first instant after the window, epoch ms" },
  { name: "revision", type: "Integral", doc: "how many times the window had fired before" },
  { name: "count", type: "Integral", doc: "readings in the window" },
  ...windowChannels.flatMap((channel) =>
    featureStatistics.map((statistic): FeatureSpec => ({
      name: `${channel.toLowerCase()}_${statistic}`,
      type: "Fractional",
      doc: `${statistic} of ${channel} in the window`,
    })),
  ),
];
