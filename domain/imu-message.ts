import type { EpochMs } from "./time.ts";

/** One reading: ax, ay, az in m/s², gx, gy, gz in rad/s. */
export type ImuSample = readonly [number, number, number, number, number, number];

/** What a device publishes: the value that either content type carries. Bounds are in `imuLimits`. */
export interface ImuMessage {
  /** Counts messages since the device booted, from 0. */
  readonly seq: number;
  /** Changes when the device restarts. */
  readonly boot?: string;
  /** One time per sample, not decreasing; or the first sample's time, with `hz`. */
  readonly t: EpochMs | readonly EpochMs[];
  /** Samples per second, only with a single `t`. */
  readonly hz?: number;
  readonly samples: readonly ImuSample[];
}

/** Times of a message's samples: as given, or tᵢ = t + (i × 1000) / hz in doubles. */
export function sampleTimes(message: ImuMessage): readonly EpochMs[] {
  if (typeof message.t !== "number") return message.t;
  const { t, hz = NaN } = message;
  return message.samples.map((_, i) => t + (i * 1000) / hz);
}
