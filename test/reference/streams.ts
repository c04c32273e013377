import fc from "fast-check";
import { defaultSemantics, type Semantics } from "../../domain/semantics.ts";
import { MAX_EPOCH_MS } from "../../domain/time.ts";
import { LogBuilder } from "./log-builder.ts";
import type { LogRecord } from "./log.ts";
import { type StreamEvent, streamEvents } from "./stream-events.ts";

/** A whole log and the settings under which it is processed. */
export interface Stream {
  readonly settings: Semantics;
  readonly log: readonly LogRecord[];
  readonly flush: boolean;
}

const windows = fc.constantFrom(
  [1000, 1000],
  [1000, 500],
  [1000, 300],
  [1000, 999],
  [700, 700],
  [1500, 400],
  [1, 1],
  [5000, 5000],
);

/** Settings small enough for short logs to reach every limit. */
export const hostileSettings: fc.Arbitrary<Semantics> = fc
  .record({
    window: windows,
    allowedLatenessMs: fc.constantFrom(1001, 1500, 3000, 5000, 60_000),
    outOfOrdernessMs: fc.constantFrom(0, 100, 500, 2000),
    sessionGapMs: fc.constantFrom(1, 100, 500, 1500, 2000, 6000),
    idleTimeoutMs: fc.constantFrom(1, 1000, 3000, 5000, 10_000),
    futureGuardMs: fc.constantFrom(0, 500, 1000),
    expiryBeyondMs: fc.constantFrom(1, 3000, 20_000, 1e9, 1e9, 1e9),
    tombstoneMs: fc.constantFrom(0, 3000, 1e9),
    watermark: fc.constantFrom("sensor", "sensor", "partition"),
    maxIntervalsPerSensor: fc.constantFrom(1, 2, 3, 1000),
    maxBootsPerSensor: fc.constantFrom(1, 2, 100),
    maxLetGoBootsPerSensor: fc.constantFrom(0, 1, 1000),
    maxWaitingMessages: fc.constantFrom(1, 2, 256),
    maxWaitingBytes: fc.constantFrom(100, 56 * 5, 1e6),
    maxSensorsPerPartition: fc.constantFrom(1, 2, 100),
    maxSensorsPerStep: fc.constantFrom(1, 2, 100),
    earliestTimeMs: fc.constantFrom(-MAX_EPOCH_MS, -MAX_EPOCH_MS, -MAX_EPOCH_MS, 0, 1_657_533_900_000),
  })
  .map(({ window: [windowMs, slideMs], expiryBeyondMs, ...rest }) => ({
    ...defaultSemantics,
    ...rest,
    windowMs: windowMs!,
    slideMs: slideMs!,
    expiryMs: Math.max(rest.allowedLatenessMs, rest.idleTimeoutMs) + expiryBeyondMs,
    transformedFormat: "json",
  }));

/** The default settings, with tumbling and with sliding windows. */
export const usualSettings: fc.Arbitrary<Semantics> = fc
  .constantFrom(defaultSemantics.slideMs, 250)
  .map((slideMs) => ({ ...defaultSemantics, slideMs, transformedFormat: "json", earliestTimeMs: -MAX_EPOCH_MS }));

/** Start of event time: at the epoch, before it, and today. */
const origins = fc.constantFrom(0, -86_400_000, 1_657_533_977_000);

/**
 * Hostile streams: every kind of disorder, with samples exactly on the bounds that the settings define. With changes,
 * settings records put other settings in force.
 */
export function hostileStreams(
  settings: fc.Arbitrary<Semantics> = hostileSettings,
  maxEvents = 40,
  withChanges = true,
): fc.Arbitrary<Stream> {
  return fc
    .record({
      settings,
      others: fc.array(settings, { minLength: 0, maxLength: 3 }),
      origin: origins,
      partitions: fc.constantFrom(1, 1, 2),
      events: fc.array(streamEvents, { minLength: 1, maxLength: maxEvents, size: "max" }),
      flush: fc.boolean(),
    })
    .map(({ settings: chosen, others, origin, partitions, events, flush }) => ({
      settings: chosen,
      flush,
      log: build(
        events.filter(({ kind }) => withChanges || kind !== "settings"),
        [chosen, ...others],
        origin,
        partitions,
      ),
    }));
}

function build(
  events: readonly StreamEvent[],
  choices: readonly Semantics[],
  origin: number,
  partitions: number,
): LogRecord[] {
  const builder = new LogBuilder(choices, origin, partitions);
  for (const event of events) builder.apply(event);
  return builder.log;
}
