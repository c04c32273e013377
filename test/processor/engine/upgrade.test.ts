import { describe, expect, jest, test } from "@jest/globals";
import { createLogger } from "../../../adapters/log.ts";
import { quietObserver } from "../../../processor/engine/quiet-observer.ts";
import { catchUpTask, type CatchUpResult, type RecoveryParts } from "../../../processor/engine/recovery.ts";
import { countingMachineFactory } from "./counting-machine.ts";
import { type InjectedFault, kinds, planOf, RECOVERY, RUNNING } from "./simulated/crash-points.ts";
import { SOURCE, World } from "./simulated/world.ts";

const TASK = `count/${SOURCE}/0`;
const FEED_MS = 4_000;
/** How often somebody runs the version before, to catch up what waits for it. */
const CATCH_UP_MS = 700;
/** Points that catching up by the version before passes. */
const CATCHING_UP = ["manifest:read", "bounds", "segment:get", "read", "segment:put", "manifest:write"];
jest.setTimeout(180_000);

/** A task of the world as `version` catches it up, in a process that may die. */
function catchUpBy(world: World, version: string): Promise<CatchUpResult> {
  const process = world.kernel.process(`catch-up ${version}`);
  const parts: RecoveryParts = {
    task: TASK,
    partition: 0,
    factory: countingMachineFactory(SOURCE, version),
    ports: world.ports(process, 0),
    runtime: world.runtime(process),
    observer: quietObserver(createLogger("test", "silent")),
  };
  return catchUpTask(parts, () => Promise.resolve(world.partitions[0]!.lastProgress()));
}

/** Where a task has stopped, catches up by each version again and again, as the one who looks at it would. */
function catchUpStopped(world: World, versions: readonly string[]): void {
  const again = (): void => {
    for (const version of world.stopped.length > 0 ? versions : [])
      catchUpBy(world, version).catch(
        (error: unknown) => void world.kernel.trace.push(`${world.kernel.now} ${version} ${String(error)}`),
      );
    world.kernel.schedule(CATCH_UP_MS, null, again);
  };
  world.kernel.schedule(CATCH_UP_MS, null, again);
}

/** What is said of each count that was committed: by which version, from the outputs alone. */
function versionsOf(world: World): string[] {
  const { committed, expected } = world.results()[0]!;
  const isCount = (line: string): boolean => line.startsWith(`${SOURCE}-counts `);
  const idOf = (line: string): string => line.split(" ").slice(0, 3).join(" ");
  // Each record was counted exactly once, in order.
  expect(committed.filter(isCount).map(idOf)).toEqual(expected.filter(isCount).map(idOf));
  const counts = new Map<string, number>();
  const versions: string[] = [];
  const thirds: string[] = [];
  for (const line of committed.filter(isCount)) {
    const [, key, id, text] = line.split(" ") as [string, string, string, string];
    const count = Number(text);
    const by = count - (counts.get(key) ?? 0);
    counts.set(key, count);
    versions.push(by === 1 ? "v1" : by === 10 ? "tens" : `counted by ${by} at ${id}`);
    if (count % 3 === 0) thirds.push(`${SOURCE}-thirds ${key} ${id} ${count}`);
  }
  expect(committed.filter((line) => !isCount(line))).toEqual(thirds);
  return versions;
}

/** Whether `v1` has committed further than the task's snapshot covers. */
function isBehind(world: World): boolean {
  const covered = world.table.manifests.get(TASK)?.covers?.nextOffset ?? Infinity;
  return covered < (world.partitions[0]!.lastProgress()?.nextOffset ?? 0) - 2;
}

/** All processes die; those that start from now on are of the version `next`. */
function killAll(world: World, next: string): void {
  world.factory = countingMachineFactory(SOURCE, next);
  for (const { process } of world.processors) world.kernel.kill(process);
}

/**
 * A world whose task `v1` has committed further than its snapshot covers; all its processes are dead.
 *
 * @param next The version of the processes that start from then on.
 */
async function behind(
  next: string,
  options: { readonly processors?: number; readonly restartMs?: number } = {},
): Promise<World> {
  const task = { snapshotIntervalMs: 1_000 };
  const world = new World({ seed: 3, partitions: 1, processors: 1, task, restartMs: 10_000, ...options });
  world.feed(80, FEED_MS);
  expect(await world.kernel.run(20_000, () => world.kernel.now > 1_500 && isBehind(world))).toBe(true);
  killAll(world, next);
  await world.kernel.run(world.kernel.now + 100, () => false); // requests that were under way arrive
  expect(isBehind(world)).toBe(true);
  return world;
}

/** Runs the world until everything is committed, and looks at the outputs. */
async function versionsAtEnd(world: World, faults: readonly InjectedFault[]): Promise<string[]> {
  const from = world.kernel.now;
  const isDone = (): boolean => world.kernel.now > from + FEED_MS && world.caughtUp;
  const done = await world.kernel.run(from + 120_000, isDone);
  const versions = versionsOf(world);
  if (!done || versions.some((version) => version !== "v1" && version !== "tens"))
    throw new Error(
      `${done ? "" : "not done: "}${versions.join(", ")} (${world.stopped.join("; ")}) after ` +
        `${JSON.stringify(faults)}\n${world.kernel.trace.join("\n")}`,
    );
  return versions;
}

/** Both processors of `v1` die in the middle of a roll-out, and those of `tens` start. @returns Faults that were hit */
async function rollOut(faults: readonly InjectedFault[], where: "catch-up" | "processors"): Promise<number> {
  const world = await behind("tens", { processors: 2, restartMs: 200 });
  const inject = planOf(faults);
  world.kernel.plan = (process, point, moment) =>
    process.name.startsWith("catch-up") === (where === "catch-up") ? inject(process, point, moment) : null;
  catchUpStopped(world, ["v1", "tens"]);
  const versions = await versionsAtEnd(world, faults);
  expect([versions[0], versions.at(-1)]).toEqual(["v1", "tens"]);
  return world.kernel.faults;
}

describe("code that gives other outputs", () => {
  test("waits for the version before to catch up, and then continues by itself", async () => {
    const world = await behind("tens");
    expect(await world.kernel.run(60_000, () => world.stopped.length > 0)).toBe(true);
    expect(world.stopped[0]).toContain("by version v1 (code v1), which gives other outputs than this code (tens)");
    const { nextOffset } = world.partitions[0]!.lastProgress()!;
    const before = world.partitions[0]!.committed.length;
    expect(await world.until(catchUpBy(world, "v1"))).toBe("caught-up");
    expect(world.table.manifests.get(TASK)?.covers).toMatchObject({ nextOffset, fingerprint: "v1" });
    expect(world.partitions[0]!.lastProgress()!.nextOffset).toBe(nextOffset);
    const done = (): boolean => world.caughtUp && world.stopped.length === 0;
    expect(await world.kernel.run(world.kernel.now + 60_000, done)).toBe(true);
    const versions = versionsOf(world);
    const switched = world.partitions[0]!.committed.slice(0, before).filter(({ topic }) => topic.endsWith("-counts"));
    expect(versions.lastIndexOf("v1") + 1).toBe(switched.length);
    expect(versions.slice(switched.length).every((version) => version === "tens")).toBe(true);
  });

  test("takes a snapshot with its first commit, so that the version before can take over again", async () => {
    const world = new World({ seed: 3, partitions: 1, processors: 1, task: { snapshotIntervalMs: 600_000 } });
    world.feed(40, 1_000);
    await world.kernel.run(500, () => false);
    await world.until(world.processors[0]!.processor.stop()); // hands over
    world.kernel.kill(world.processors[0]!.process);
    world.factory = countingMachineFactory(SOURCE, "tens");
    const covers = (): string | undefined => world.table.manifests.get(TASK)?.covers?.fingerprint;
    expect(covers()).toBe("v1");
    expect(await world.kernel.run(60_000, () => covers() === "tens")).toBe(true);
  });

  test("is rolled out through a fault at each point of catching up by the version before", async () => {
    for (const injected of kinds(CATCHING_UP)) expect(await rollOut([injected], "catch-up")).toBe(1);
  });

  test("is rolled out through a fault of its own processes at each point of the protocol", async () => {
    let faults = 0;
    for (const injected of kinds([...new Set([...RECOVERY, ...RUNNING])]))
      for (const occurrence of [1, 3]) faults += await rollOut([{ ...injected, occurrence }], "processors");
    expect(faults).toBeGreaterThan(100);
  });

  test("is rolled back in the same way", async () => {
    for (const injected of kinds(["commit:end", "segment:put", "manifest:write"])) {
      const world = await behind("tens", { processors: 2, restartMs: 200 });
      catchUpStopped(world, ["v1", "tens"]);
      expect((await versionsAtEnd(world, [])).at(-1)).toBe("tens");
      world.feed(80, FEED_MS);
      const from = world.kernel.now;
      expect(await world.kernel.run(from + 20_000, () => world.kernel.now > from + 1_500 && isBehind(world))).toBe(
        true,
      );
      world.kernel.plan = planOf([injected]);
      killAll(world, "v1");
      expect((await versionsAtEnd(world, [injected])).at(-1)).toBe("v1");
    }
  });
});

describe("catching a task up", () => {
  test("is left to the code that committed last, and done once", async () => {
    const world = await behind("v1");
    const manifest = structuredClone(world.table.manifests.get(TASK));
    expect(await world.until(catchUpBy(world, "tens"))).toBe("other-code");
    expect(world.table.manifests.get(TASK)).toEqual(manifest);
    expect(await world.until(catchUpBy(world, "v1"))).toBe("caught-up");
    expect(await world.until(catchUpBy(world, "v1"))).toBe("already-covered");
  });

  test("of a task that has committed nothing does nothing", async () => {
    const world = new World({ seed: 1, partitions: 1, processors: 0 });
    expect(await world.until(catchUpBy(world, "v1"))).toBe("nothing-committed");
    expect(world.table.manifests.size).toBe(0);
  });

  test("writes nothing over the snapshot of an owner that has begun meanwhile", async () => {
    const world = await behind("v1");
    let other: object | undefined;
    world.kernel.plan = (process, point, moment) => {
      const manifest = world.table.manifests.get(TASK)!;
      if (process.name.startsWith("catch-up") && point === "segment:put" && moment === "before" && !other) {
        other = { ...manifest, owner: "another", version: manifest.version + 1 };
        world.table.manifests.set(TASK, other as typeof manifest);
      }
      return null;
    };
    await expect(world.until(catchUpBy(world, "v1"))).rejects.toMatchObject({ code: "outcome-unknown" });
    expect(world.table.manifests.get(TASK)).toEqual(other);
  });
});
