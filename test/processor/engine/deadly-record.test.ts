import { expect, test } from "@jest/globals";
import type { MachineFactory } from "../../../processor/runtime/machine.ts";
import { countingMachineFactory, POISON } from "./counting-machine.ts";
import { append, emptyWorld, runUntil, startTask, type OneTask } from "./one-task.ts";
import { SOURCE, type World } from "./simulated/world.ts";

/** The counting machine in a process that dies in the step of the record at `offset`. */
function deadlyFactory(world: World, started: () => OneTask, offset: number): MachineFactory {
  const factory = countingMachineFactory(SOURCE);
  return {
    ...factory,
    create: async (origin) => {
      const machine = await factory.create(origin);
      const step = machine.step.bind(machine);
      machine.step = (record) => {
        if (record.offset === offset) world.kernel.kill(started().process);
        step(record);
      };
      return machine;
    },
  };
}

/** Starts a task again each time its process dies. @returns The lives that it took until it ended by itself */
async function livesUntilEnd(world: World, offset: number, most: number): Promise<{ lives: number; last: OneTask }> {
  for (let lives = 1; lives <= most; lives++) {
    let last: OneTask | null = null;
    let hasEnded = false;
    last = startTask(world, { factory: deadlyFactory(world, () => last!, offset) }, `p${lives}`);
    void last.ended.then(() => (hasEnded = true));
    await runUntil(world, () => hasEnded || !last!.process.alive);
    if (hasEnded) return { lives, last };
  }
  throw new Error(`no life ended by itself within ${most}`);
}

test("a record in whose step the process dies stops its partition, after a commit of all before it", async () => {
  for (const offset of [0, 5, 19]) {
    const world = emptyWorld(offset + 1);
    append(
      world,
      Array.from({ length: 20 }, () => "x"),
    );
    const { lives, last } = await livesUntilEnd(world, offset, 8);
    expect(await last.ended).toMatchObject({ kind: "stopped", error: { code: "step-kills-process" } });
    expect((await last.ended) as object).toHaveProperty("error.message", expect.stringContaining(`offset ${offset}`));
    // One death that leaves no trace, one in an attempt of several records, two of the record alone.
    expect(lives).toBeLessThanOrEqual(6);
    expect(world.partitions[0]!.lastProgress()?.nextOffset ?? 0).toBe(offset);
    const { committed, expected } = world.results()[0]!;
    expect(expected.slice(0, committed.length)).toEqual(committed);
  }
});

test("deaths elsewhere do not count: records that are stepped and committed clear the suspicion", async () => {
  const world = emptyWorld();
  append(
    world,
    Array.from({ length: 20 }, () => "x"),
  );
  for (let life = 0; life < 10; life++) {
    const one = startTask(world, {}, `p${life}`);
    // Killed as soon as it has committed an attempt, at a later record each time.
    const before = world.partitions[0]!.lastProgress()?.nextOffset ?? 0;
    await runUntil(world, () => (world.partitions[0]!.lastProgress()?.nextOffset ?? 0) > before || life > 5);
    world.kernel.kill(one.process);
    append(world, ["x"]);
  }
  const last = startTask(world, {}, "last");
  await runUntil(world, () => world.caughtUp);
  expect(last.log.join()).not.toContain("step-kills-process");
  const { committed, expected } = world.results()[0]!;
  expect(committed).toEqual(expected);
});

test("a record on which our code throws comes again while records are attempted one by one", async () => {
  const world = emptyWorld(3);
  const first = startTask(world, { options: { commitIntervalMs: 3_000 } });
  await runUntil(world, () => first.task.phase === "running");
  append(world, ["x", POISON, "x", POISON, "x", "x"]);
  // The first life dies before any commit, the second in an attempt of several records.
  world.kernel.kill(first.process);
  let second: OneTask | null = null;
  second = startTask(world, { factory: deadlyFactory(world, () => second!, 0) }, "second");
  await runUntil(world, () => !second!.process.alive);
  const attempts = world.partitions[0]!.progress.flatMap((entry) => ("claim" in entry ? (entry.attempt ?? []) : []));
  expect(attempts.at(-1)!.to).toBeGreaterThan(2);
  startTask(world, {}, "third");
  await runUntil(world, () => world.caughtUp);
  const { committed, expected } = world.results()[0]!;
  expect(committed).toEqual(expected);
});
