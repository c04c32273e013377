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

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** The definitions: the mean first, then the mean square of what is left. */
function statistics(values: readonly number[]): ChannelStatistics {
  const n = values.length;
  const mean = sum(values) / n;
  return {
    mean,
    std: Math.sqrt(sum(values.map((x) => (x - mean) ** 2)) / n),
    min: Math.min(...values),
    max: Math.max(...values),
    rms: Math.sqrt(sum(values.map((x) => x * x)) / n),
  };
}

/** Statistics of all channels over rows of six values. */
export function channelStatistics(rows: readonly (readonly number[])[]): Record<WindowChannel, ChannelStatistics> {
  const wide = rows.map((r) => [...r, magnitude(r[0]!, r[1]!, r[2]!), magnitude(r[3]!, r[4]!, r[5]!)]);
  return Object.fromEntries(windowChannels.map((name, i) => [name, statistics(wide.map((row) => row[i]!))])) as Record<WindowChannel, ChannelStatistics>;
}
