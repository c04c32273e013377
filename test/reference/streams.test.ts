import { expect, test } from "@jest/globals";
import { MAX_EPOCH_MS } from "../../domain/time.ts";
import {
  batchMessages,
  batchSessions,
  batchWindows,
  reportedMessages,
  reportedSessions,
  reportedWindows,
} from "./batch.ts";
import { byteDifference, difference } from "./compare.ts";
import { productRun } from "./product.ts";
import { holdsForStreams, PROPERTY_TIMEOUT_MS } from "./property.ts";
import { referenceRun } from "./reference.ts";
import { hostileSettings, hostileStreams, type Stream, usualSettings } from "./streams.ts";

const RUNS = 400;

/** The same streams under settings with which no identity and no state is forgotten. */
const unforgetting = hostileStreams(hostileSettings, 40, false).map((stream): Stream => ({
  ...stream,
  flush: true,
  settings: {
    ...stream.settings,
    earliestTimeMs: -MAX_EPOCH_MS,
    expiryMs: 2e12,
    maxIntervalsPerSensor: 1e6,
    maxBootsPerSensor: 1e6,
    maxSensorsPerPartition: 1e6,
    maxWaitingMessages: 1e6,
    maxWaitingBytes: 1e9,
  },
}));
/** The same, and nothing is late. */
const patient = unforgetting.map((stream): Stream => ({
  ...stream,
  settings: { ...stream.settings, allowedLatenessMs: 1e17, expiryMs: 2e17 },
}));

/** Jest's message where two values differ. */
function differs(received: unknown, expected: unknown): string | undefined {
  try {
    expect(received).toEqual(expected);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

test(
  "the processor's outputs are the reference's, over hostile streams",
  async () => {
    await holdsForStreams(hostileStreams(), RUNS, async ({ log, settings, flush }) =>
      difference(referenceRun(log, settings, flush), await productRun(log, settings, flush)),
    );
  },
  PROPERTY_TIMEOUT_MS,
);

test(
  "the processor's outputs are the reference's, under the default settings",
  async () => {
    await holdsForStreams(hostileStreams(usualSettings, 80), RUNS / 2, async ({ log, settings, flush }) =>
      difference(referenceRun(log, settings, flush), await productRun(log, settings, flush)),
    );
  },
  PROPERTY_TIMEOUT_MS,
);

test(
  "the processor's outputs do not depend on how the log is cut, nor on how often the state is written and read back",
  async () => {
    await holdsForStreams(hostileStreams(), RUNS / 2, async ({ log, settings, flush }) => {
      const whole = await productRun(log, settings, flush);
      for (const cuts of [
        { settleEvery: 1000, restoreEvery: 0 },
        { settleEvery: 3, restoreEvery: 1 },
        { settleEvery: 2, restoreEvery: 3 },
      ]) {
        const problem = byteDifference(whole, await productRun(log, settings, flush, cuts));
        if (problem !== undefined) return `${JSON.stringify(cuts)}: ${problem}`;
      }
      return undefined;
    });
  },
  PROPERTY_TIMEOUT_MS,
);

for (const [who, run] of [
  ["reference", referenceRun],
  ["processor", productRun],
] as const) {
  test(
    `where nothing is late, the ${who} counts what a batch job over the whole log counts`,
    async () => {
      await holdsForStreams(patient, RUNS / 2, async ({ log, settings, flush }) => {
        const { outputs } = await run(log, settings, flush);
        return (
          differs(reportedWindows(outputs), batchWindows(log, settings)) ??
          differs(reportedSessions(outputs), batchSessions(log, settings))
        );
      });
    },
    PROPERTY_TIMEOUT_MS,
  );

  test(
    `the ${who} counts every reading in its windows or outputs it as late, and so with every message it transforms`,
    async () => {
      await holdsForStreams(unforgetting, RUNS / 2, async ({ log, settings, flush }) => {
        const { outputs } = await run(log, settings, flush);
        return (
          differs(reportedWindows(outputs), batchWindows(log, settings)) ??
          differs(reportedMessages(outputs), batchMessages(log, settings))
        );
      });
    },
    PROPERTY_TIMEOUT_MS,
  );
}
