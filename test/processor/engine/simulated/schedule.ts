import { seededRandom } from "../../../../simulator/synthetic/random.ts";
import { type Fault, type FaultPlan, type SimulatedProcess } from "./kernel.ts";
import { World } from "./world.ts";

const FAULTS_UNTIL_MS = 8_000;
/**
 * Everything is committed, and the group knows, so long after the last fault: pauses, restarts and waits end, the
 * interval of commits without outputs passes twice, and so many calls go by.
 */
const PROGRESS_WITHIN = { ms: 45_000, calls: 500 } as const;
/**
 * Most fences, rejoins and restarts of lives that a fault may cause, for each partition: a crash or a pause moves all
 * partitions of a process, and back again. `free` is for the starts.
 */
const MOST = { fences: 8, rejoins: 4, restarts: 4, free: 12 } as const;

/** Points after which a process that sleeps goes by what is no longer so. */
const ZOMBIE_POINTS = [
  "claim:commit",
  "claim:read",
  "manifest:read",
  "manifest:write",
  "bounds",
  "segment:get",
  "segment:put",
  "attempt:commit",
  "commit:send",
  "commit:end",
  "standing",
] as const;

/** One random schedule: the seed decides the numbers of partitions, processors and records, and all faults. */
export async function simulate(
  seed: number,
): Promise<{ readonly problem: string | null; readonly trace: readonly string[] }> {
  const random = seededRandom(seed ^ 0x5eed);
  const pick = (from: number, to: number): number => from + Math.floor(random() * (to - from + 1));
  const withZombies = random() < 0.6;
  const world: World = new World({
    seed,
    partitions: pick(1, withZombies ? 2 : 3),
    processors: pick(withZombies ? 2 : 1, 3),
    plan: (process, point, moment) => plan(process, point, moment),
    task: {
      commitIntervalMs: pick(1, 200),
      transactionsPerSecond: pick(1, 50),
      progressIntervalMs: pick(1, 10_000),
      snapshotIntervalMs: pick(50, withZombies ? 300 : 2_000),
      handOverMs: pick(10, 2_000),
      // Crashes at random hit one record's step thrice, too: `deadly-record.test.ts` has its own.
      maxDeathsInStep: Infinity,
    },
    restartMs: pick(10, withZombies ? 1_000 : 4_000),
  });
  const now = (): number => world.kernel.now;
  const atRandom = randomFaults(now, random, pick(0, 30) / 1_000, random() < 0.3);
  const plan = withZombies ? zombieFaults(now, random) : atRandom;
  world.kernel.maxDelayMs = [1, 5, 50, 400][pick(0, withZombies ? 1 : 3)]!;
  world.feed(pick(withZombies ? 60 : 1, 120), FAULTS_UNTIL_MS, {
    poison: random() < 0.3 ? 0.05 : 0,
    silent: random() < 0.5 ? random() : 0,
  });
  const withinMs = PROGRESS_WITHIN.ms + PROGRESS_WITHIN.calls * world.kernel.maxDelayMs;
  const isDone = (): boolean => world.kernel.now > FAULTS_UNTIL_MS && world.caughtUp && world.groupCaughtUp;
  const done = await world.kernel.run(FAULTS_UNTIL_MS + withinMs, isDone);
  const late = done ? null : `not all was committed within ${withinMs} ms after the last fault`;
  return { problem: problemOf(world, late), trace: world.kernel.trace };
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

/**
 * A process sleeps at a point until another has taken over and has worked for a while. Soon after it wakes up the
 * others die, one after another, and whoever comes next has to do with what the zombie left. Sometimes a second process
 * sleeps.
 */
function zombieFaults(now: () => number, random: () => number): FaultPlan {
  const point = ZOMBIE_POINTS[Math.floor(random() * ZOMBIE_POINTS.length)]!;
  let from = random() * 2_000;
  let awakeAt = Infinity;
  let crashes = 1 + Math.floor(random() * 3);
  let zombie: SimulatedProcess | null = null;
  return (process, at, moment): Fault | null => {
    if (now() > FAULTS_UNTIL_MS) return null;
    if (moment === "after" && at === point && now() > from && zombie === null) {
      zombie = process;
      const pauseMs = 3_000 + random() * 2_000;
      awakeAt = now() + pauseMs;
      return { pauseMs };
    }
    if (now() < awakeAt || crashes === 0 || random() > 0.05) return null;
    crashes--;
    if (crashes === 1 && random() < 0.3) [zombie, from, awakeAt] = [null, now(), Infinity];
    return "crash";
  };
}

function problemOf(world: World, late: string | null): string | null {
  if (world.stops.length > 0) return `a task stopped: ${world.stops.join("; ")} (${world.stopped.join("; ")})`;
  return late ?? differenceIn(world) ?? unrestIn(world);
}

function differenceIn(world: World): string | null {
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

/** More fences, rejoins or restarts than the faults explain. */
function unrestIn(world: World): string | null {
  const { fences, rejoins, restarts, partitions, kernel } = world;
  const counted = { fences, rejoins, restarts };
  for (const name of ["fences", "rejoins", "restarts"] as const) {
    const most = MOST.free + MOST[name] * kernel.faults * partitions.length;
    if (counted[name] > most)
      return `${counted[name]} ${name} for ${kernel.faults} faults, ${partitions.length} partitions: more than ${most}`;
  }
  return null;
}
