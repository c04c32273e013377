import { describe, expect, test } from "@jest/globals";
import { CommitBudget } from "../../../processor/engine/commit-budget.ts";
import { SILENT } from "./counting-machine.ts";
import { append, emptyWorld, runUntil, startTask } from "./one-task.ts";
import { World } from "./simulated/world.ts";

describe("the budget of a process", () => {
  test("gives each commit a time of its own, in turn", () => {
    const budget = new CommitBudget(20);
    const [first, second, third] = [budget.take(100, 1_000), budget.take(0, 1_000), budget.take(120, 1_000)];
    expect([first, second, third]).toEqual([100, 150, 200]);
    expect(budget.take(5_000, 6_000)).toBe(5_000);
  });

  test("lets nobody wait beyond the latest time, nor go before the earliest", () => {
    const budget = new CommitBudget(1);
    expect([budget.take(0, 1_000), budget.take(0, 900), budget.take(700, 600)]).toEqual([0, 900, 700]);
    expect(budget.take(0, 10_000)).toBe(1_900);
  });

  test("is a transaction a second and task where there are more tasks", () => {
    const budget = new CommitBudget(2);
    const ends = Array.from({ length: 4 }, () => budget.join());
    expect([budget.take(0, 9_000), budget.take(0, 9_000)]).toEqual([0, 250]);
    ends.forEach((end) => end());
    expect([budget.take(0, 9_000), budget.take(0, 9_000)]).toEqual([500, 1_000]);
  });
});

/** Ten tasks of a process, each with a record every 20 ms for ten seconds. */
async function tenBusyTasks(transactionsPerSecond: number) {
  const world = new World({ seed: 5, partitions: 10, processors: 1, task: { transactionsPerSecond } });
  /** When the output of each record that waits was appended to the input, by partition. */
  const oldest = new Map<number, number>();
  let longestMs = 0;
  for (const [partition, log] of world.partitions.entries()) {
    const commit = log.commit.bind(log);
    log.commit = (epoch) => {
      const isOfOutputs = log.open !== null && log.open.outputs.length > 0;
      commit(epoch);
      if (!isOfOutputs) return;
      longestMs = Math.max(longestMs, world.kernel.now - (oldest.get(partition) ?? world.kernel.now));
      oldest.delete(partition);
    };
  }
  await runUntil(
    world,
    () => world.processors[0]!.processor.tasks().filter((t) => t.phase === "running").length === 10,
  );
  const from = world.kernel.now;
  while (world.kernel.now < from + 10_000) {
    for (const [partition, log] of world.partitions.entries()) {
      if (!oldest.has(partition)) oldest.set(partition, world.kernel.now);
      const { latest: offset } = log;
      log.append({ partition, offset, timestamp: 0, key: Buffer.from("k"), value: Buffer.from("x"), headers: {} });
    }
    await world.kernel.run(world.kernel.now + 20, () => false);
  }
  const commits = world.commits.filter(({ at }) => at > from + 1_000 && at <= from + 9_000);
  return { world, commits, longestMs };
}

test("ten busy tasks share twenty transactions a second, spread over the second", async () => {
  const { world, commits } = await tenBusyTasks(20);
  // 8 seconds, and one more for each end.
  expect(commits.length).toBeGreaterThan(8 * 16);
  expect(commits.length).toBeLessThanOrEqual(8 * 20 + 2);
  const ofEach = Map.groupBy(commits, ({ task }) => task);
  for (const [, own] of ofEach) {
    expect(own.length).toBeGreaterThan(8);
    expect(own.length).toBeLessThanOrEqual(8 * 2 + 2);
  }
  // 50 ms apart by the budget; calls and reads take some 30 ms.
  const bunched = commits.filter(({ at }, i) => i > 2 && at - commits[i - 3]!.at < 50);
  expect(bunched).toEqual([]);
  await runUntil(world, () => world.caughtUp);
  for (const { committed, expected } of world.results()) expect(committed).toEqual(expected);
});

test("outputs are committed within a second and the commit's own time, whatever the budget", async () => {
  const { commits, longestMs } = await tenBusyTasks(1);
  expect(longestMs).toBeGreaterThan(800);
  expect(longestMs).toBeLessThan(1_100);
  expect(commits.length).toBeGreaterThan(8 * 8);
});

test("a task alone commits at its interval; the group gets its offset after 5 s or 500 records", async () => {
  const world = emptyWorld();
  const log = world.partitions[0]!;
  const commits: number[] = [];
  startTask(world, { observer: { committed: () => commits.push(world.kernel.now) } });
  await runUntil(world, () => world.kernel.now > 100);
  const changes: [number, number | null][] = [];
  const feed = async (forMs: number, records: number): Promise<void> => {
    for (const end = world.kernel.now + forMs; world.kernel.now < end;) {
      append(
        world,
        Array.from({ length: records }, () => "x"),
      );
      await world.kernel.run(world.kernel.now + 20, () => false);
      if (changes.at(-1)?.[1] !== log.groupOffset) changes.push([world.kernel.now, log.groupOffset]);
    }
  };
  await feed(11_000, 1);
  // Every 100 ms, and some time for the call that reads.
  expect(commits.length).toBeGreaterThan(90);
  expect(commits.length).toBeLessThanOrEqual(110);
  const apart = changes.slice(2).map(([at], i) => at - changes[i + 1]![0]);
  expect(apart.length).toBeGreaterThanOrEqual(1);
  for (const ms of apart) expect(Math.abs(ms - 5_000)).toBeLessThan(200);
  const before = changes.length;
  await feed(3_000, 40); // some 2,500 records
  expect(changes.length - before).toBeGreaterThanOrEqual(2);
  // What the last commit did not say, the next one says, without a record.
  await runUntil(world, () => world.caughtUp);
  const at = world.kernel.now;
  await runUntil(world, () => world.groupCaughtUp);
  expect(world.kernel.now - at).toBeLessThan(10_100);
});

test("records without outputs are committed once in ten seconds, the first ones of a life at once", async () => {
  const world = emptyWorld();
  const commits: { at: number; nextOffset: number }[] = [];
  startTask(world, {
    observer: { committed: (_task, { nextOffset }) => commits.push({ at: world.kernel.now, nextOffset }) },
  });
  await runUntil(world, () => world.kernel.now > 100);
  for (let second = 0; second < 25; second++) {
    append(world, [SILENT]);
    await world.kernel.run(world.kernel.now + 1_000, () => false);
  }
  expect(commits.map(({ nextOffset }) => nextOffset)).toEqual([1, 11, 21]);
  expect(commits[0]!.at).toBeLessThan(300);
  expect(world.partitions[0]!.groupOffset).toBe(21);
  // An output does not wait for that.
  append(world, ["x"]);
  const from = world.kernel.now;
  await runUntil(world, () => world.caughtUp);
  expect(world.kernel.now - from).toBeLessThan(150);
});
