import { describe, expect, jest, test } from "@jest/globals";
import fc from "fast-check";
import { defaultSemantics, type Semantics } from "../../../domain/semantics.ts";
import { difference } from "../../reference/compare.ts";
import type { LogRecord } from "../../reference/log.ts";
import { hostileMarkets } from "../../reference/market/market-streams.ts";
import { marketReferenceRun } from "../../reference/market/reference.ts";
import { marketMachineFactory, readOutput } from "../../reference/product.ts";
import { type InjectedFault, kinds, planOf, RECOVERY, RUNNING } from "./simulated/crash-points.ts";
import { World } from "./simulated/world.ts";

const SEED = 7;
const FEED_MS = 2_500;
const LIMIT_MS = 120_000;
jest.setTimeout(180_000);

/** Bounds that the stream reaches: bars go, ids are let go, accounts are not kept, symbols expire. */
const settings: Semantics = {
  ...defaultSemantics,
  earliestTimeMs: -8.64e15,
  allowedLatenessMs: 90_000,
  maxTradesPerPartition: 12,
  maxAccountsPerSymbol: 2,
  maxSymbolsPerPartition: 2,
};
/** The same stream in every run: the longest of a sample. */
const log: readonly LogRecord[] = fc
  .sample(hostileMarkets(fc.constant(settings), 80, false), { numRuns: 60, seed: SEED })
  .map((stream) => stream.log)
  .filter((records) => records.every(({ partition }) => partition === 0))
  .sort((a, b) => b.length - a.length)[0]!;
const expected = marketReferenceRun(log, settings, false);

/** Runs the stream with these faults, one after another, and compares what was committed with the reference. */
async function survive(faults: readonly InjectedFault[], processors = 1): Promise<void> {
  const factory = marketMachineFactory(settings);
  const world = new World({ seed: SEED, partitions: 1, processors, plan: planOf(faults), factory });
  for (const [i, { key, ...record }] of log.entries())
    world.kernel.schedule((i * FEED_MS) / log.length, null, () =>
      world.partitions[0]!.append({ ...record, key: key === null ? null : Buffer.from(key) }),
    );
  const done = await world.kernel.run(LIMIT_MS, () => world.kernel.now > FEED_MS && world.caughtUp);
  const report = (): string => `${JSON.stringify(faults)}\n${world.kernel.trace.join("\n")}`;
  if (!done || world.stopped.length > 0)
    throw new Error(`did not catch up (${world.stopped.join("; ")}) after ${report()}`);
  const outputs = world.partitions[0]!.committed.map(readOutput);
  const problem = difference(expected, { outputs, duplicates: undefined });
  if (problem !== undefined) throw new Error(`${problem}\nafter ${report()}`);
}

describe("the market pipeline, with a fault at each point of the protocol", () => {
  test("is given a stream that makes it write to each of its topics", () => {
    expect(new Set(expected.outputs.map(({ topic }) => topic)).size).toBe(6);
  });

  test("gives every output exactly once, as the reference has it", async () => {
    for (const injected of kinds([...new Set([...RECOVERY, ...RUNNING])]))
      for (const occurrence of [1, 4]) await survive([{ ...injected, occurrence }]);
  });

  test("gives every output exactly once when a second fault hits the recovery", async () => {
    for (const first of kinds(["commit:send", "segment:put"]).filter(({ fault }) => fault === "crash"))
      for (const second of kinds(RECOVERY)) await survive([{ ...first, occurrence: 3 }, second]);
  });

  test("gives every output exactly once when a second processor takes over", async () => {
    for (const injected of kinds(RUNNING)) await survive([{ ...injected, occurrence: 3 }], 2);
  });
});
