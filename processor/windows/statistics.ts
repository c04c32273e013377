import { windowChannels } from "../../domain/imu.ts";
import { MAX_ROWS, type Message } from "../path/message.ts";

/** Folds rows of messages into an accumulator of doubles, and writes the result. */
export interface Aggregate {
  /** Doubles of an accumulator. */
  readonly size: number;
  /** Folds rows [from, to), at least one, into the accumulator at `at`, which holds `count` rows so far. */
  fold(accumulator: Float64Array, at: number, count: number, message: Message, from: number, to: number): void;
  /** The result's JSON fields, without braces. */
  write(accumulator: Float64Array, at: number, count: number): string;
}

/** Doubles per channel: mean, sum of squared deviations from the mean, minimum, maximum. */
const CHANNEL = 4;

/**
 * Count, mean, population standard deviation, minimum, maximum and root mean square per channel.
 *
 * A range of rows is summed up in two passes around its own mean (the sum is taken of differences from its first
 * value, so equal values give an exact mean and no deviation), then merged by the pairwise formula of Chan, Golub
 * and LeVeque (Updating formulae and a pairwise algorithm for computing sample variances, 1979):
 * δ = mean_b − mean_a; mean = mean_a + δ·n_b/n; M2 = M2_a + M2_b + δ²·n_a·n_b/n.
 */
export function channelStatistics(channels: readonly string[]): Aggregate {
  const width = channels.length;
  return {
    size: width * CHANNEL,
    fold(accumulator, at, count, message, from, to) {
      const columns = message.columns;
      const rows = to - from;
      const total = count + rows;
      for (let channel = 0; channel < width; channel++) {
        const first = channel * MAX_ROWS + from;
        const last = channel * MAX_ROWS + to;
        const origin = columns[first]!;
        let sum = 0, min = origin, max = origin;
        for (let i = first + 1; i < last; i++) {
          const x = columns[i]!;
          sum += x - origin;
          if (x < min) min = x;
          if (x > max) max = x;
        }
        const mean = origin + sum / rows;
        let deviations = 0;
        for (let i = first; i < last; i++) {
          const d = columns[i]! - mean;
          deviations += d * d;
        }
        const slot = at + channel * CHANNEL;
        if (count === 0) {
          accumulator[slot] = mean;
          accumulator[slot + 1] = deviations;
          accumulator[slot + 2] = min;
          accumulator[slot + 3] = max;
          continue;
        }
        const delta = mean - accumulator[slot]!;
        accumulator[slot] = accumulator[slot]! + (delta * rows) / total;
        accumulator[slot + 1] = accumulator[slot + 1]! + deviations + (delta * delta * count * rows) / total;
        if (min < accumulator[slot + 2]!) accumulator[slot + 2] = min;
        if (max > accumulator[slot + 3]!) accumulator[slot + 3] = max;
      }
    },
    write(accumulator, at, count) {
      let text = `"channels":{`;
      for (let channel = 0; channel < width; channel++) {
        const slot = at + channel * CHANNEL;
        const mean = accumulator[slot]!;
        const variance = accumulator[slot + 1]! / count;
        text += `${channel === 0 ? "" : ","}"${channels[channel]}":{"mean":${mean},"std":${Math.sqrt(variance)},"min":${accumulator[slot + 2]},"max":${accumulator[slot + 3]},"rms":${Math.sqrt(mean * mean + variance)}}`;
      }
      return `${text}}`;
    },
  };
}

/** The statistics of an IMU window. */
export const imuStatistics = channelStatistics(windowChannels);
