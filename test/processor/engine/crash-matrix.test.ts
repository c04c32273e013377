import { describe, expect, jest, test } from "@jest/globals";
import { type InjectedFault, kinds, planOf, RECOVERY, RUNNING } from "./simulated/crash-points.ts";
import { World } from "./simulated/world.ts";

const SEED = 7;
const RECORDS = 40;
const FEED_MS = 2_500;
const LIMIT_MS = 120_000;
jest.setTimeout(180_000);
/** Runs the same stream with these faults, one after another, and compares the outputs with the expected ones. */
async function survive(
  faults: readonly InjectedFault[],
  { processors = 1, records = RECORDS, feedMs = FEED_MS } = {},
): Promise<World> {
  const world = new World({ seed: SEED, partitions: 1, processors, plan: planOf(faults) });
  world.feed(records, feedMs, { poison: 0.05, silent: 0.2 });
  const done = await world.kernel.run(LIMIT_MS, () => world.kernel.now > feedMs && world.caughtUp);
  const { committed, expected } = world.results()[0]!;
  const report = () => `${JSON.stringify(faults)}\n${world.kernel.trace.join("\n")}`;
  if (!done || world.stopped.length > 0)
    throw new Error(`did not catch up (${world.stopped.join("; ")}) after ${report()}`);
  if (committed.join("\n") !== expected.join("\n"))
    throw new Error(`outputs differ after ${report()}\ncommitted ${committed.length}, expected ${expected.length}`);
  return world;
}

/** How often each point of the protocol is reached in an undisturbed run. */
async function pointsReached(): Promise<Map<string, number>> {
  const points = new Map<string, number>();
  const world = new World({
    seed: SEED,
    partitions: 1,
    processors: 1,
    plan: (_process, point, moment) => (moment === "before" && points.set(point, (points.get(point) ?? 0) + 1), null),
  });
  world.feed(RECORDS, FEED_MS);
  await world.kernel.run(LIMIT_MS, () => world.kernel.now > FEED_MS && world.caughtUp);
  return points;
}

describe("the engine, with a fault at each point of the protocol", () => {
  test("passes all points of the matrix in an undisturbed run", async () => {
    const points = await pointsReached();
    expect([...points.keys()].sort()).toEqual(
      expect.arrayContaining([...new Set([...RECOVERY, ...RUNNING])].filter((point) => point !== "segment:get").sort()),
    );
  });

  test("gives every output exactly once, whichever time the point is reached", async () => {
    for (const [point, count] of await pointsReached()) {
      for (const injected of kinds([point]))
        for (let occurrence = 1; occurrence <= count; occurrence += Math.max(1, Math.floor(count / 6)))
          await survive([{ ...injected, occurrence }]);
    }
  });

  test("gives every output exactly once when a second fault hits the recovery", async () => {
    for (const first of kinds(RUNNING))
      for (const second of kinds(RECOVERY)) await survive([{ ...first, occurrence: 3 }, second]);
  });

  test("gives every output exactly once when a second processor takes over", async () => {
    for (const injected of kinds([...new Set([...RECOVERY, ...RUNNING])]))
      for (const occurrence of [1, 3]) await survive([{ ...injected, occurrence }], { processors: 2 });
  });

  test("gives every output exactly once when a paused processor wakes up after another took over", async () => {
    for (const injected of kinds([...new Set([...RECOVERY, ...RUNNING])])) {
      for (const occurrence of [1, 2, 5])
        await survive([{ ...injected, fault: { pauseMs: 8_000 }, occurrence }], { processors: 2 });
    }
  });

  test("makes progress through a chain of crashes at every second commit", async () => {
    const world = await survive(
      Array.from(
        { length: 6 },
        () => ({ point: "commit:end", moment: "after", fault: "crash", occurrence: 2 }) as const,
      ),
      { records: 400, feedMs: 60_000 },
    );
    expect(world.starts).toBe(7);
  });
});
