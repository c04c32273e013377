import type { Milliseconds } from "../domain/time.ts";
import type { Device } from "./feed.ts";
import { EXECUTION_MS, syntheticMotion } from "./motion.ts";
import type { SimulatorOptions } from "./options.ts";
import { lapMs, recordedMessages, syntheticMessages } from "./plan.ts";
import type { Recording } from "./recordings.ts";
import { seededRandom } from "./synthetic/random.ts";

/** All devices of a simulation. */
export interface Fleet {
  readonly devices: readonly Device[];
  /** Approximate rate of all devices together, in real time. */
  readonly messagesPerSecond: number;
  /** Time, in real time, until every device has played all its executions once. */
  readonly lapMs: Milliseconds;
}

const DEFAULT_SYNTHETIC_SENSORS = 20;
/** Derived sensors begin at most this much later than the recorded ones. */
const MAX_DERIVED_START_MS = 5_000;
const GOLDEN_RATIO = 0.6180339887498949;

/** A number in [0, 1) for the n-th device. The first numbers are spread evenly, for any count (a Weyl sequence). */
function spread(n: number): number {
  return (n * GOLDEN_RATIO) % 1;
}

/**
 * Devices that replay recordings: first the recorded sensors, then derived ones, which begin at another recording and
 * at another time.
 *
 * @param recordings Recordings of each sensor, in the order of execution.
 */
export function recordedFleet(recordings: ReadonlyMap<string, readonly Recording[]>, options: SimulatorOptions): Fleet {
  const recorded = [...recordings];
  const count = options.sensors ?? recorded.length;
  let longestMs = 0;
  const devices = Array.from({ length: count }, (_, n): Device => {
    const [name, own] = recorded[n % recorded.length]!;
    const copy = Math.floor(n / recorded.length);
    const sensorId = copy === 0 ? name : `${name}-${copy + 1}`;
    const first = copy % own.length;
    const startMs = Math.round(spread(n) * (copy === 0 ? options.batchMs : MAX_DERIVED_START_MS));
    longestMs = Math.max(longestMs, startMs + lapMs(own, options.pauseMs));
    const plan = {
      recordings: [...own.slice(first), ...own.slice(0, first)],
      startMs,
      pauseMs: options.pauseMs,
      batchMs: options.batchMs,
      laps: options.once ? 1 : Infinity,
    };
    return { sensorId, messages: recordedMessages(plan), random: seededRandom(options.seed, sensorId, "faults") };
  });
  return { devices, messagesPerSecond: (count * 1_000) / options.batchMs, lapMs: longestMs };
}

/** Devices with synthetic motion: `sim-001` and so on. Each begins at another point of its first execution. */
export function syntheticFleet(options: SimulatorOptions): Fleet {
  const { rateHz, batchMs, pauseMs, seed, once } = options;
  const count = options.sensors ?? DEFAULT_SYNTHETIC_SENSORS;
  const devices = Array.from({ length: count }, (_, n): Device => {
    const sensorId = `sim-${String(n + 1).padStart(3, "0")}`;
    const skipMs = once ? 0 : spread(n) * EXECUTION_MS * 0.9;
    const plan = {
      rateHz,
      batchMs,
      pauseMs,
      startMs: spread(n) * batchMs,
      executionMs: EXECUTION_MS,
      skipMs,
      executions: once ? 1 : Infinity,
      motion: syntheticMotion(seed, sensorId),
    };
    return { sensorId, messages: syntheticMessages(plan), random: seededRandom(seed, sensorId, "faults") };
  });
  return {
    devices,
    messagesPerSecond: count * Math.min(rateHz, 1_000 / batchMs),
    lapMs: EXECUTION_MS + pauseMs + batchMs,
  };
}
