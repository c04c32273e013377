import type { FeatureValue } from "@aws-sdk/client-sagemaker-featurestore-runtime";
import { barFeaturesId, EVENT_TIME_FEATURE, featureStatistics } from "../../domain/features.ts";
import { windowChannels } from "../../domain/imu.ts";
import type { BarRecord, WindowRecord } from "../../domain/records.ts";

/** A record of a window, of whatever pipeline. */
export type Windowed = Pick<WindowRecord, "id" | "operator" | "window" | "revision">;

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
export function featureTime({ window, operator, revision }: Windowed): number {
  const slideMs = Number(operator.slice(operator.lastIndexOf("-") + 1));
  const toNext = Number.isFinite(slideMs) ? slideMs * 1_000 : Infinity;
  return window.end * 1_000 + Math.min(revision, toNext - 1);
}

/** The newest window of each identifier, as the feature store keeps one record of each. */
export function newestOfEach<T extends { readonly value: Windowed }>(
  windows: readonly T[],
  identifierOf: (record: T["value"]) => string,
): T[] {
  const newest = new Map<string, T>();
  for (const item of windows) {
    const identifier = identifierOf(item.value);
    const known = newest.get(identifier);
    if (!known || featureTime(item.value) > featureTime(known.value)) newest.set(identifier, item);
  }
  return [...newest.values()];
}

/** A window as a record of the feature group `sensorWindows`, in the order of its features. */
export function windowFeatures(record: WindowRecord): FeatureValue[] {
  const { sensorId, count, channels } = record;
  return present([
    ["sensor_id", sensorId],
    ...common(record),
    ["count", count],
    ...windowChannels.flatMap((channel) =>
      featureStatistics.map((statistic): [string, number | null] => [
        `${channel.toLowerCase()}_${statistic}`,
        channels[channel][statistic],
      ]),
    ),
  ]);
}

/** A bar as a record of the feature group `marketBars`, in the order of its features. */
export function barFeatures(record: BarRecord): FeatureValue[] {
  const { symbol, operator, notional } = record;
  const [eventTime, ...window] = common(record);
  return present([
    ["symbol_operator", barFeaturesId(symbol, operator)],
    eventTime!,
    ["symbol", symbol],
    ["operator", operator],
    ...window,
    ...(["count", "pending", "cancelled", "open", "high", "low", "close", "volume", "vwap"] as const).map(
      (name): Value => [name, record[name]],
    ),
    ...(["sum", "mean", "min", "max"] as const).map((name): Value => [`notional_${name}`, notional[name]]),
    ["first_trade", record.firstTrade],
    ["last_trade", record.lastTrade],
  ]);
}

type Value = readonly [name: string, value: string | number | null];

function common(record: Windowed): Value[] {
  const { window, revision } = record;
  return [
    [EVENT_TIME_FEATURE, (featureTime(record) / 1e6).toFixed(6)],
    ["window_start", window.start],
    ["window_end", window.end],
    ["revision", revision],
  ];
}

/** Figures that are null are left out. */
function present(values: readonly Value[]): FeatureValue[] {
  return values
    .filter(([, value]) => value !== null)
    .map(([name, value]) => ({ FeatureName: name, ValueAsString: String(value) }));
}
