import { expect, test } from "@jest/globals";
import { MAX_EPOCH_MS } from "../../../domain/time.ts";
import { byteDifference, difference } from "../compare.ts";
import { marketProductRun } from "../product.ts";
import { holdsForStreams, PROPERTY_TIMEOUT_MS } from "../property.ts";
import type { Stream } from "../streams.ts";
import { batchBars, reportedBars } from "./batch.ts";
import { hostileMarkets, hostileMarketSettings, usualMarketSettings } from "./market-streams.ts";
import { marketReferenceRun } from "./reference.ts";

const RUNS = 400;

/** The same streams under settings with which nothing is forgotten and nothing is late. */
const patient = hostileMarkets(hostileMarketSettings, 40, false).map((stream): Stream => ({
  ...stream,
  flush: true,
  settings: {
    ...stream.settings,
    earliestTimeMs: -MAX_EPOCH_MS,
    allowedLatenessMs: 1e17,
    expiryMs: 2e17,
    maxSymbolsPerPartition: 1e6,
    maxTradesPerPartition: 1e6,
  },
}));

test(
  "the market's outputs are the reference's, over hostile streams",
  async () => {
    await holdsForStreams(hostileMarkets(), RUNS, async ({ log, settings, flush }) =>
      difference(marketReferenceRun(log, settings, flush), await marketProductRun(log, settings, flush)),
    );
  },
  PROPERTY_TIMEOUT_MS,
);

test(
  "the market's outputs are the reference's, under the default settings",
  async () => {
    await holdsForStreams(hostileMarkets(usualMarketSettings, 80), RUNS / 2, async ({ log, settings, flush }) =>
      difference(marketReferenceRun(log, settings, flush), await marketProductRun(log, settings, flush)),
    );
  },
  PROPERTY_TIMEOUT_MS,
);

test(
  "the market's outputs do not depend on how the log is cut, nor on how often the state is written and read back",
  async () => {
    await holdsForStreams(hostileMarkets(hostileMarketSettings), RUNS / 2, async ({ log, settings, flush }) => {
      const whole = await marketProductRun(log, settings, flush);
      for (const cuts of [
        { settleEvery: 1000, restoreEvery: 0 },
        { settleEvery: 3, restoreEvery: 1 },
        { settleEvery: 2, restoreEvery: 3 },
      ]) {
        const problem = byteDifference(whole, await marketProductRun(log, settings, flush, cuts));
        if (problem !== undefined) return `${JSON.stringify(cuts)}: ${problem}`;
      }
      return undefined;
    });
  },
  PROPERTY_TIMEOUT_MS,
);

test.each([
  { who: "reference", run: marketReferenceRun },
  { who: "processor", run: marketProductRun },
])(
  "where nothing is late, the $who's last bars count what a batch job over the whole log counts",
  async ({ run }) => {
    await holdsForStreams(patient, RUNS / 2, async ({ log, settings, flush }) => {
      const { outputs } = await run(log, settings, flush);
      try {
        expect(reportedBars(outputs)).toEqual(batchBars(log, settings.futureGuardMs));
        return undefined;
      } catch (error) {
        return (error as Error).message;
      }
    });
  },
  PROPERTY_TIMEOUT_MS,
);
