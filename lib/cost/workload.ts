import type { Environment } from "../../config/schema.ts";

/** What sensors send, and what users ask for. */
export interface Workload {
  readonly sensors: number;
  /** Readings a second and sensor. */
  readonly rateHz: number;
  /** Milliseconds of readings in one message. */
  readonly batchMs: number;
  /** Form of the messages: it decides how many bytes they have. */
  readonly format: "json" | "packed";
  /** WebSocket connections that are open all the time, each watching one sensor. */
  readonly viewers: number;
  /** REST requests a second, on average. */
  readonly requestsPerSecond: number;
}

/**
 * Bytes of one piece of each kind. A packed reading is six float32 (docs/packed-format.md); the others were measured on
 * the simulator's output.
 */
export const sizes = {
  message: 60,
  jsonReading: 62,
  packedReading: 24,
  transformedReading: 88,
  window: 1_150,
  inference: 330,
  lakeRow: 1_300,
} as const;

/** A workload as numbers and bytes a second. */
export interface Flow {
  readonly readings: number;
  readonly messages: number;
  /** Bytes of one message. */
  readonly messageBytes: number;
  readonly windows: number;
  /** Bytes a second of each kind of topic. */
  readonly bytes: {
    readonly input: number;
    readonly transformed: number;
    readonly windows: number;
    readonly inference: number;
  };
}

export function flowOf(load: Workload, { semantics }: Environment): Flow {
  const readings = load.sensors * load.rateHz;
  const messages = load.sensors * (1_000 / load.batchMs);
  const readingBytes = load.format === "json" ? sizes.jsonReading : sizes.packedReading;
  const messageBytes = sizes.message + ((load.rateHz * load.batchMs) / 1_000) * readingBytes;
  const windows = load.sensors * (1_000 / semantics.slideMs);
  return {
    readings,
    messages,
    messageBytes,
    windows,
    bytes: {
      input: messages * messageBytes,
      transformed: readings * sizes.transformedReading,
      windows: windows * sizes.window,
      inference: load.sensors * sizes.inference,
    },
  };
}
