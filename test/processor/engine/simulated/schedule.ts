import { seededRandom } from "../../../../simulator/random.ts";
import { type Fault, type FaultPlan } from "./kernel.ts";
import { World } from "./world.ts";

const FAULTS_UNTIL_MS = 8_000;
const LIMIT_MS = 240_000;

/** One random schedule: the seed decides the numbers of partitions, processors and records, and all faults. */
export async function simulate(
  seed: number,
): Promise<{ readonly problem: string | null; readonly trace: readonly string[] }> {
  const random = seededRandom(seed ^ 0x5eed);
  const pick = (from: number, to: number): number => from + Math.floor(random() * (to - from + 1));
  const world: World = new World({
    seed,
    partitions: pick(1, 3),
    processors: pick(1, 3),
    plan: (process, point, moment) => plan(process, point, moment),
    task: { commitIntervalMs: pick(1, 200), snapshotIntervalMs: pick(50, 2_000), handOverMs: pick(10, 2_000) },
    restartMs: pick(10, 4_000),
  });
  const plan = randomFaults(() => world.kernel.now, random, pick(0, 30) / 1_000, random() < 0.3);
  world.kernel.maxDelayMs = [1, 5, 50, 400][pick(0, 3)]!;
  world.feed(pick(1, 120), FAULTS_UNTIL_MS, random() < 0.3 ? 0.05 : 0);
  const done = await world.kernel.run(LIMIT_MS, () => world.kernel.now > FAULTS_UNTIL_MS && world.caughtUp);
  return { problem: problemOf(world, done), trace: world.kernel.trace };
}

function randomFaults(now: () => number, random: () => number, rate: number, tableFails: boolean): FaultPlan {
  return (_process, point): Fault | null => {
    if (now() > FAULTS_UNTIL_MS) return null;
    // A table that refuses half of all requests for a while.
    if (tableFails && now() > 2_000 && now() < 5_000 && /^(manifest|segment)/.test(point) && random() < 0.5)
      return random() < 0.5 ? "error-before" : "error-after";
    if (random() >= rate) return null;
    const kind = random();
    if (kind < 0.35) return "crash";
    if (kind < 0.55) return "error-before";
    if (kind < 0.75) return "error-after";
    return { pauseMs: random() * 6_000 };
  };
}

function problemOf(world: World, done: boolean): string | null {
  if (world.stopped.length > 0) return `a task stopped: ${world.stopped.join("; ")}`;
  if (!done) return `nothing was committed to the end of the log within ${LIMIT_MS} ms`;
  for (const { partition, committed, expected } of world.results()) {
    if (committed.join("\n") === expected.join("\n")) continue;
    const at = expected.findIndex((line, i) => committed[i] !== line);
    return (
      `partition ${partition}: ${committed.length} outputs, expected ${expected.length}; ` +
      `first difference at ${at}: ${committed[at]} instead of ${expected[at]}`
    );
  }
  return null;
}
