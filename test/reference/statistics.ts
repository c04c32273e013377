import { windowChannels, type WindowChannel } from "../../domain/imu.ts";

export interface ChannelStatistics {
  readonly mean: number;
  readonly std: number;
  readonly min: number;
  readonly max: number;
  readonly rms: number;
}

/** Euclidean norm of acceleration (first three values) or angular rate (last three). */
export function magnitude(x: number, y: number, z: number): number {
  return Math.sqrt(x * x + y * y + z * z);
}

/** A sum with compensation of its rounding errors (Neumaier 1974). */
function sum(values: readonly number[]): number {
  let total = 0;
  let lost = 0;
  for (const value of values) {
    const next = total + value;
    lost += Math.abs(total) >= Math.abs(value) ? total - next + value : value - next + total;
    total = next;
  }
  return total + lost;
}

/** By definition, in two passes: the mean, then the variance around it, corrected for the rounding of the mean. */
function statistics(values: readonly number[]): ChannelStatistics {
  const n = values.length;
  const mean = sum(values) / n;
  const rest = values.map((x) => x - mean);
  return {
    mean,
    std: Math.sqrt(Math.max(0, sum(rest.map((x) => x * x)) / n - (sum(rest) / n) ** 2)),
    min: Math.min(...values),
    max: Math.max(...values),
    rms: Math.sqrt(sum(values.map((x) => x * x)) / n),
  };
}

/** Statistics of all channels over rows of six values. */
export function channelStatistics(rows: readonly (readonly number[])[]): Record<WindowChannel, ChannelStatistics> {
  const wide = rows.map((r) => [...r, magnitude(r[0]!, r[1]!, r[2]!), magnitude(r[3]!, r[4]!, r[5]!)]);
  return Object.fromEntries(windowChannels.map((name, i) => [name, statistics(wide.map((row) => row[i]!))])) as Record<
    WindowChannel,
    ChannelStatistics
  >;
}
