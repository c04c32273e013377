import fc from "fast-check";
import { defaultSemantics, type Semantics } from "../../../domain/semantics.ts";
import { MAX_EPOCH_MS } from "../../../domain/time.ts";
import type { LogRecord } from "../log.ts";
import type { Stream } from "../streams.ts";
import { type MarketEvent, marketEvents } from "./market-events.ts";
import { MarketLog } from "./market-log.ts";

/** Settings small enough for short logs to reach every limit. */
export const hostileMarketSettings: fc.Arbitrary<Semantics> = fc
  .record({
    allowedLatenessMs: fc.constantFrom(1001, 60_000, 90_000, 300_000, 600_000),
    outOfOrdernessMs: fc.constantFrom(0, 500, 2000, 60_000, 90_000),
    idleTimeoutMs: fc.constantFrom(1, 1000, 3000, 10_000, 1e6, 1e6, 1e6),
    futureGuardMs: fc.constantFrom(0, 500, 1000),
    expiryBeyondMs: fc.constantFrom(1, 3000, 20_000, 1e9, 1e9, 1e9),
    tombstoneMs: fc.constantFrom(0, 3000, 1e9),
    watermark: fc.constantFrom("sensor", "sensor", "partition"),
    maxSymbolsPerPartition: fc.constantFrom(1, 2, 100, 100),
    maxTradesPerPartition: fc.constantFrom(1, 2, 3, 5, 1e6, 1e6, 1e6),
    maxAccountsPerSymbol: fc.constantFrom(1, 2, 10_000),
    maxKeptPerPartition: fc.constantFrom(1, 2, 200_000, 200_000),
    maxSensorsPerStep: fc.constantFrom(1, 2, 100),
    earliestTimeMs: fc.constantFrom(...Array.from({ length: 8 }, () => -MAX_EPOCH_MS), 0, 1_657_533_900_000),
  })
  .map(({ expiryBeyondMs, ...rest }) => ({
    ...defaultSemantics,
    ...rest,
    expiryMs: Math.max(rest.allowedLatenessMs, rest.idleTimeoutMs) + expiryBeyondMs,
  }));

/** The default settings. */
export const usualMarketSettings: fc.Arbitrary<Semantics> = fc.constant({
  ...defaultSemantics,
  earliestTimeMs: -MAX_EPOCH_MS,
});

/** Start of event time: at the epoch, before it, and today. */
const origins = fc.constantFrom(0, -86_400_000, 1_657_533_977_000);

/** Hostile streams of trades: every kind of disorder, with times exactly on the bounds that the settings define. */
export function hostileMarkets(
  settings: fc.Arbitrary<Semantics> = hostileMarketSettings,
  maxEvents = 40,
  withChanges = true,
): fc.Arbitrary<Stream> {
  return fc
    .record({
      settings,
      others: fc.array(settings, { minLength: 0, maxLength: 3 }),
      origin: origins,
      partitions: fc.constantFrom(1, 1, 2),
      events: fc.array(marketEvents, { minLength: 1, maxLength: maxEvents, size: "max" }),
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
  events: readonly MarketEvent[],
  choices: readonly Semantics[],
  origin: number,
  partitions: number,
): LogRecord[] {
  const builder = new MarketLog(choices, origin, partitions);
  for (const event of events) builder.apply(event);
  return builder.log;
}
