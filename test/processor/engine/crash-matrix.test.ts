import { describe, expect, jest, test } from "@jest/globals";
import type { Fault } from "./simulated/kernel.ts";
import { World } from "./simulated/world.ts";

const SEED = 7;
const RECORDS = 40;
const FEED_MS = 2_500;
const LIMIT_MS = 120_000;
jest.setTimeout(180_000);
type Moment = "before" | "after";
interface Strike {
  readonly point: string;
  readonly moment: Moment;
  readonly fault: Fault;
  /** Which time the point is reached, counted from the strike before; 1 for the first. */
  readonly occurrence: number;
}

/** Runs the same stream with these faults, one after another, and compares outputs with what they must be. */
async function survive(
  strikes: readonly Strike[],
  { processors = 1, records = RECORDS, feedMs = FEED_MS } = {},
): Promise<World> {
  let next = 0;
  let seen = 0;
  const world = new World({
    seed: SEED,
    partitions: 1,
    processors,
    plan: (_process, point, moment) => {
      const strike = strikes[next];
      if (!strike || strike.point !== point || strike.moment !== moment || ++seen < strike.occurrence) return null;
      next++;
      seen = 0;
      return strike.fault;
    },
  });
  world.feed(records, feedMs, 0.05);
  const done = await world.kernel.run(LIMIT_MS, () => world.kernel.now > feedMs && world.caughtUp);
  const { committed, expected } = world.results()[0]!;
  const story = () => `${JSON.stringify(strikes)}\n${world.kernel.trace.join("\n")}`;
  if (!done || world.stopped.length > 0)
    throw new Error(`did not catch up (${world.stopped.join("; ")}) after ${story()}`);
  if (committed.join("\n") !== expected.join("\n"))
    throw new Error(`outputs differ after ${story()}\ncommitted ${committed.length}, expected ${expected.length}`);
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

const RECOVERY = [
  "fence",
  "claim:send",
  "claim:commit",
  "claim:read",
  "manifest:read",
  "manifest:write",
  "bounds",
  "segment:get",
  "read",
];
const RUNNING = [
  "read",
  "send",
  "commit:send",
  "commit:end",
  "segment:put",
  "manifest:write",
  "segment:delete",
  "heartbeat",
];
const FAULTS: readonly Fault[] = ["crash", "error-before", "error-after"];
const kinds = (points: readonly string[]): Strike[] =>
  points.flatMap((point) =>
    (["before", "after"] as const).flatMap((moment) =>
      FAULTS.map((fault) => ({ point, moment, fault, occurrence: 1 })),
    ),
  );

describe("the engine, struck at each point of the protocol", () => {
  test("an undisturbed run passes all points that the matrix strikes", async () => {
    const points = await pointsReached();
    expect([...points.keys()].sort()).toEqual(
      expect.arrayContaining([...new Set([...RECOVERY, ...RUNNING])].filter((point) => point !== "segment:get").sort()),
    );
  });

  test("once, whenever the point is reached, it gives every output exactly once", async () => {
    for (const [point, count] of await pointsReached()) {
      for (const strike of kinds([point]))
        for (let occurrence = 1; occurrence <= count; occurrence += Math.max(1, Math.floor(count / 6)))
          await survive([{ ...strike, occurrence }]);
    }
  });

  test("while running and again at each point of the recovery, it gives every output exactly once", async () => {
    for (const first of kinds(RUNNING))
      for (const second of kinds(RECOVERY)) await survive([{ ...first, occurrence: 3 }, second]);
  });

  test("at each point, with a second processor that takes over, it gives every output exactly once", async () => {
    for (const strike of kinds([...new Set([...RECOVERY, ...RUNNING])]))
      for (const occurrence of [1, 3]) await survive([{ ...strike, occurrence }], { processors: 2 });
  });

  test("as a zombie that sleeps at each point while another takes over, and wakes up", async () => {
    for (const strike of kinds([...new Set([...RECOVERY, ...RUNNING])])) {
      for (const occurrence of [1, 2, 5])
        await survive([{ ...strike, fault: { pauseMs: 8_000 }, occurrence }], { processors: 2 });
    }
  });

  test("a chain of crashes at every second commit makes progress all the same", async () => {
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
