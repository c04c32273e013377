import type { Environment } from "../../config/schema.ts";
import { barWindows } from "../../domain/market.ts";

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
  /** People who sign in in a month, where the environment has a user pool. */
  readonly users: number;
  /** Trades a second that producers put on the event bus. */
  readonly trades: number;
  /** Symbols that are traded in each minute. */
  readonly symbols: number;
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
  /** A tick: a record without a value, with its headers. */
  tick: 100,
  /** A trade as the contract's example has it, with its key and headers; as an event, with EventBridge's envelope. */
  trade: 300,
  tradeEvent: 450,
  enriched: 500,
  bar: 450,
  position: 300,
} as const;

/** A workload as numbers and bytes a second. */
export interface Flow {
  readonly readings: number;
  readonly messages: number;
  /** Bytes of one message. */
  readonly messageBytes: number;
  readonly windows: number;
  readonly trades: number;
  /** Bars: each symbol has one of a minute and one of five minutes, every minute. */
  readonly bars: number;
  /** Bytes a second of each kind of topic. */
  readonly bytes: {
    readonly input: number;
    readonly transformed: number;
    readonly windows: number;
    readonly inference: number;
    readonly trades: number;
    readonly enriched: number;
    readonly bars: number;
    readonly positions: number;
  };
}

export function flowOf(load: Workload, { semantics, processor }: Environment): Flow {
  const readings = load.sensors * load.rateHz;
  const messages = load.sensors * (1_000 / load.batchMs);
  const readingBytes = load.format === "json" ? sizes.jsonReading : sizes.packedReading;
  const messageBytes = sizes.message + ((load.rateHz * load.batchMs) / 1_000) * readingBytes;
  const windows = load.sensors * (1_000 / semantics.slideMs);
  const trades = processor.market === null ? 0 : load.trades;
  const bars = trades > 0 ? (load.symbols * barWindows.length) / 60 : 0;
  return {
    readings,
    messages,
    messageBytes,
    windows,
    trades,
    bars,
    bytes: {
      input: messages * messageBytes,
      transformed: readings * sizes.transformedReading,
      windows: windows * sizes.window,
      inference: load.sensors * sizes.inference,
      trades: trades * sizes.trade,
      enriched: trades * sizes.enriched,
      bars: bars * sizes.bar,
      positions: trades * sizes.position,
    },
  };
}
