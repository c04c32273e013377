import { windowChannels } from "./imu.ts";
import type { OfPipeline } from "./pipelines.ts";
import { MINUTE, type Milliseconds } from "./time.ts";

/** A feature of a feature group. */
export interface FeatureSpec {
  readonly name: string;
  readonly type: "String" | "Integral" | "Fractional";
  readonly doc: string;
}

/** A feature group. An environment's is named `millrace-<env>-<name>`, see `featureGroupName`. */
export interface FeatureGroupSpec extends OfPipeline {
  readonly name: string;
  readonly doc: string;
  /** The feature that identifies a record. */
  readonly recordIdentifier: string;
  readonly features: readonly FeatureSpec[];
}

/** Window end + revision × 1 µs, in epoch seconds: a correction replaces what it corrects, and nothing newer. */
export const EVENT_TIME_FEATURE = "event_time";
/**
 * The service writes a record to the offline store within 15 minutes; after this time it is missed.
 * https://docs.aws.amazon.com/sagemaker/latest/dg/feature-store-offline.html
 */
export const OFFLINE_LIMIT_MS: Milliseconds = 20 * MINUTE;

export const featureStatistics = ["mean", "std", "min", "max", "rms"] as const;

const eventTime: FeatureSpec = {
  name: EVENT_TIME_FEATURE,
  type: "Fractional",
  doc: "window end + revision × 1 µs, epoch seconds",
};
const windowFeatures: readonly FeatureSpec[] = [
  { name: "window_start", type: "Fractional", doc: "first instant of the window, epoch ms" },
  { name: "window_end", type: "Fractional", doc: "first instant after the window, epoch ms" },
  { name: "revision", type: "Integral", doc: "how many times the window had fired before" },
];

/** The feature groups. A group's event time can't be changed in place: hence v2. Figures that are null are left out. */
export const featureGroups = {
  sensorWindows: {
    name: "sensor-windows-v2",
    doc: "the newest window of each sensor",
    recordIdentifier: "sensor_id",
    features: [
      { name: "sensor_id", type: "String", doc: "the sensor" },
      eventTime,
      ...windowFeatures,
      { name: "count", type: "Integral", doc: "readings in the window" },
      ...windowChannels.flatMap((channel) =>
        featureStatistics.map((statistic): FeatureSpec => ({
          name: `${channel.toLowerCase()}_${statistic}`,
          type: "Fractional",
          doc: `${statistic} of ${channel} in the window`,
        })),
      ),
    ],
  },
  marketBars: {
    name: "market-bars-v2",
    doc: "the newest bar of each symbol and window operator",
    pipeline: "market",
    recordIdentifier: "symbol_operator",
    features: [
      { name: "symbol_operator", type: "String", doc: "<symbol>|<operator>, such as AAPL|tumbling-60000" },
      eventTime,
      { name: "symbol", type: "String", doc: "the traded instrument" },
      { name: "operator", type: "String", doc: "the window operator" },
      ...windowFeatures,
      { name: "count", type: "Integral", doc: "executed trades in the window" },
      { name: "pending", type: "Integral", doc: "pending trades, which are in no other figure" },
      { name: "cancelled", type: "Integral", doc: "cancelled trades, which are in no other figure" },
      { name: "open", type: "Fractional", doc: "price of the first trade by event time" },
      { name: "high", type: "Fractional", doc: "highest price" },
      { name: "low", type: "Fractional", doc: "lowest price" },
      { name: "close", type: "Fractional", doc: "price of the last trade by event time" },
      { name: "volume", type: "Fractional", doc: "sum of quantities" },
      { name: "vwap", type: "Fractional", doc: "price weighted by quantity" },
      { name: "notional_sum", type: "Fractional", doc: "sum of amounts in US dollars" },
      { name: "notional_mean", type: "Fractional", doc: "mean amount in US dollars" },
      { name: "notional_min", type: "Fractional", doc: "smallest amount in US dollars" },
      { name: "notional_max", type: "Fractional", doc: "largest amount in US dollars" },
      { name: "first_trade", type: "Fractional", doc: "event time of the first executed trade, epoch ms" },
      { name: "last_trade", type: "Fractional", doc: "event time of the last executed trade, epoch ms" },
    ],
  },
} as const satisfies Record<string, FeatureGroupSpec>;

export type FeatureGroupKey = keyof typeof featureGroups;

/** Identifier of the features of a symbol's bars of one window operator. Neither has a `|`. */
export function barFeaturesId(symbol: string, operator: string): string {
  return `${symbol}|${operator}`;
}
