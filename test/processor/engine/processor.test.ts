import { describe, expect, test } from "@jest/globals";
import { MillraceError } from "../../../domain/errors.ts";
import { PARTITION_STOPPED } from "../../../domain/names.ts";
import type { Membership, MembershipListener, TaskPorts } from "../../../processor/engine/ports.ts";
import { Processor } from "../../../processor/engine/processor.ts";
import { defaultTaskOptions, type TaskOptions } from "../../../processor/engine/task-options.ts";
import { append, runUntil } from "./one-task.ts";
import { SOURCE, World } from "./simulated/world.ts";

const taskOf = (partition: number): string => `count/${SOURCE}/${partition}`;

/** A group that does what the test says. */
class ScriptedGroup implements Membership {
  listener: MembershipListener | null = null;
  /** What the group answers when it is asked. */
  confirmed: boolean | Promise<boolean> = true;
  /** What leaving gives. */
  left: () => Promise<void> = () => Promise.resolve();
  /** Virtual times at which the process has joined. */
  readonly joined: number[] = [];
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  join(listener: MembershipListener): Promise<void> {
    this.joined.push(this.#now());
    this.listener = listener;
    return Promise.resolve();
  }

  leave(): Promise<void> {
    return this.left();
  }

  confirm(): Promise<boolean> {
    return Promise.resolve(this.confirmed);
  }
}

interface Given {
  readonly partitions?: number;
  readonly options?: Partial<TaskOptions>;
  /** Whether the observer has the methods that it need not have. */
  readonly observesAll?: boolean;
  /** Wraps the ports of each life. */
  readonly wrap?: (ports: TaskPorts) => TaskPorts;
}

function start({ partitions = 1, options, observesAll = true, wrap = (ports) => ports }: Given = {}) {
  const world = new World({ seed: 1, partitions, processors: 0 });
  const group = new ScriptedGroup(() => world.kernel.now);
  const process = world.kernel.process("p");
  const log: { at: number; level: string; message: string; fields: Record<string, unknown> }[] = [];
  const lags: [string, number][] = [];
  const stops: boolean[] = [];
  const lost: unknown[] = [];
  let paused = 0;
  let fences = 0;
  const ignore = (): void => undefined;
  const processor = new Processor(
    group,
    {
      factory: world.factory,
      options: { ...defaultTaskOptions, commitIntervalMs: 3_000, ...options },
      runtime: world.runtime(process),
      observer: {
        log: (level, fields, message) => log.push({ at: world.kernel.now, level, message, fields }),
        ...(observesAll
          ? {
              lag: (task: string, offsets: number) => lags.push([task, offsets]),
              stopped: (_task: string, isStopped: boolean) => stops.push(isStopped),
              waiting: (_task: string, facts: { paused: boolean }) => (paused += facts.paused ? 1 : 0),
            }
          : {}),
        committed: ignore,
        stepped: ignore,
        snapshotWritten: ignore,
        restarted: ignore,
        recovered: ignore,
      },
      openPorts: (partition) => {
        const ports = world.ports(process, partition);
        const fence = ports.output.fence.bind(ports.output);
        ports.output.fence = () => {
          fences++;
          return fence();
        };
        return wrap(ports);
      },
    },
    (error) => lost.push(error),
  );
  const running = (): boolean =>
    processor.tasks().length > 0 && processor.tasks().every(({ phase }) => phase === "running");
  const pass = async (ms: number): Promise<void> => void (await world.kernel.run(world.kernel.now + ms, () => false));
  /** Another process fences the first task, which learns of it by the next record. */
  const fenceIt = async (): Promise<void> => {
    await world.until(world.ports(world.kernel.process("other"), 0).output.fence());
    append(world, ["x"]);
  };
  const begin = async (assigned: readonly number[]): Promise<void> => {
    await processor.start();
    group.listener!.onAssigned(assigned);
    await runUntil(world, running);
  };
  const seen = { log, lags, stops, lost, paused: () => paused, fences: () => fences };
  return { world, group, processor, running, pass, fenceIt, begin, ...seen };
}

test("a partition that is given and taken away again during a slow hand-over is not fenced again", async () => {
  const { world, group, processor, fences } = start();
  append(world, ["x", "x", "x"]);
  await processor.start();
  group.listener!.onAssigned([0]);
  await runUntil(world, () => processor.tasks()[0]?.phase === "running" && world.kernel.now > 200);
  world.kernel.maxDelayMs = 2_000; // the hand-over takes seconds
  for (const assigned of [[], [0], []]) {
    group.listener!.onAssigned(assigned);
    await world.kernel.run(world.kernel.now + 10, () => false);
  }
  await world.kernel.run(world.kernel.now + 60_000, () => false);
  expect(fences()).toBe(1);
  expect(processor.tasks()).toEqual([]);
});

test("a partition that the group gave to another while it waited for a hand-over is not fenced", async () => {
  const { world, group, processor, fences } = start();
  append(world, ["x", "x", "x"]);
  await processor.start();
  group.listener!.onAssigned([0]);
  await runUntil(world, () => processor.tasks()[0]?.phase === "running" && world.kernel.now > 200);
  world.kernel.maxDelayMs = 2_000;
  group.listener!.onAssigned([]);
  await world.kernel.run(world.kernel.now + 10, () => false);
  group.listener!.onAssigned([0]);
  group.confirmed = false; // another member has it by now, and this one has not heard of it yet
  await world.kernel.run(world.kernel.now + 60_000, () => false);
  expect(fences()).toBe(1);
  group.confirmed = true;
  group.listener!.onAssigned([0]);
  await world.kernel.run(world.kernel.now + 60_000, () => false);
  expect(processor.tasks()[0]?.phase).toBe("running");
  expect(group.joined).toHaveLength(1);
});

test("tasks are listed by partition, and one that stays assigned continues as it is", async () => {
  const { group, processor, fences, running, world, pass } = start({ partitions: 3 });
  await processor.start();
  expect(processor.joined).toBe(false);
  group.listener!.onAssigned([2, 0]);
  expect(processor.joined).toBe(true);
  await runUntil(world, running);
  group.listener!.onAssigned([1, 0, 2]);
  await runUntil(world, running);
  expect(processor.tasks().map(({ task, partition }) => [task, partition])).toEqual([
    [taskOf(0), 0],
    [taskOf(1), 1],
    [taskOf(2), 2],
  ]);
  await pass(10_000);
  expect(fences()).toBe(3);
});

test("a fence from outside the group makes the process join anew, later each time", async () => {
  const { group, processor, fences, running, world, log, pass, fenceIt } = start();
  await processor.start();
  const waits = async (times: number): Promise<number[]> => {
    const from = log.length;
    for (let i = 0; i < times; i++) {
      group.listener!.onAssigned([0]);
      await runUntil(world, running);
      const [joins, before] = [group.joined.length, fences()];
      await fenceIt();
      await runUntil(world, () => group.joined.length > joins);
      expect(fences()).toBe(before); // it does not fence back
      expect(processor.tasks()).toEqual([]);
    }
    const logged = log.slice(from).filter(({ message }) => message.includes("joining anew"));
    expect(logged.every(({ level, fields }) => level === "warn" && fields["task"] === taskOf(0))).toBe(true);
    // It waits as long as it says.
    expect(logged.map(({ at, fields }) => at + (fields["waitMs"] as number))).toEqual(group.joined.slice(-times));
    return logged.map(({ fields }) => fields["waitMs"] as number);
  };
  expect(await waits(8)).toEqual([500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
  await pass(40_000);
  expect(await waits(1)).toEqual([30_000]);
  // A minute without a fence, and it begins anew.
  await pass(61_000);
  expect(await waits(1)).toEqual([500]);
});

test("a fence is logged with its task and reason", async () => {
  const { group, begin, pass, fenceIt, log } = start();
  await begin([0]);
  group.confirmed = false;
  await fenceIt();
  await pass(10_000);
  expect(log).toContainEqual({
    at: expect.any(Number),
    level: "warn",
    message: "task was fenced",
    fields: { task: taskOf(0), reason: expect.stringContaining("epoch") },
  });
});

test("tasks that are fenced together join anew once, and the others hand over before", async () => {
  const { group, world, begin, pass, processor, log: logged } = start({ partitions: 3 });
  await begin([0, 1, 2]);
  const answer = Promise.withResolvers<boolean>();
  group.confirmed = answer.promise;
  for (const partition of [0, 1])
    await world.until(world.ports(world.kernel.process("other"), partition).output.fence());
  for (const [partition, log] of world.partitions.entries())
    log.append({ partition, offset: 0, timestamp: 0, key: Buffer.from("k"), value: Buffer.from("x"), headers: {} });
  let progress: number | undefined;
  group.left = async () => void (progress = world.partitions[2]!.lastProgress()?.nextOffset);
  await pass(5_000);
  answer.resolve(true);
  await pass(20_000);
  expect(logged.filter(({ message }) => message.includes("joining anew"))).toHaveLength(1);
  expect([group.joined.length, progress]).toEqual([2, 1]);
  expect(processor.tasks()).toEqual([]);
});

describe("after a fence", () => {
  test("an assignment that is newer than the task gives it back without a new join", async () => {
    const { group, processor, running, begin, pass, fenceIt, fences } = start({ partitions: 2 });
    await begin([0, 1]);
    group.listener!.onAssigned([0, 1]);
    await fenceIt();
    await pass(20_000);
    expect(processor.tasks().map(({ partition }) => partition)).toEqual([0, 1]);
    expect([running(), group.joined.length, fences()]).toEqual([true, 1, 3]);
  });

  test("an assignment that comes before the group's answer decides, whether it has the partition or not", async () => {
    for (const [assigned, fenced] of [
      [[0, 1], 3],
      [[1], 2],
    ] as const) {
      const { group, processor, running, begin, pass, fenceIt, fences } = start({ partitions: 2 });
      await begin([0, 1]);
      const answer = Promise.withResolvers<boolean>();
      group.confirmed = answer.promise;
      await fenceIt();
      await pass(5_000);
      group.listener!.onAssigned(assigned);
      await pass(5_000);
      answer.resolve(true);
      await pass(5_000);
      expect(processor.tasks().map(({ partition }) => partition)).toEqual(assigned);
      expect([running(), group.joined.length, fences()]).toEqual([true, 1, fenced]);
    }
  });

  test("a process that the group does not confirm waits for the next assignment", async () => {
    const { group, processor, running, world, begin, pass, fenceIt, fences } = start();
    await begin([0]);
    group.confirmed = false;
    await fenceIt();
    await pass(20_000);
    expect([processor.tasks(), group.joined.length, fences()]).toEqual([[], 1, 1]);
    group.listener!.onAssigned([0]);
    await runUntil(world, running);
  });

  test("of a task that was taken away, its successor continues", async () => {
    const { group, processor, running, world, begin, pass, fenceIt, fences } = start();
    await begin([0]);
    append(world, ["x"]);
    await pass(1_000); // stepped, and not committed yet
    await fenceIt();
    for (const assigned of [[], [0]]) group.listener!.onAssigned(assigned);
    await runUntil(world, running);
    await pass(20_000);
    expect([processor.tasks().length, running(), group.joined.length, fences()]).toEqual([1, true, 1, 2]);
  });

  test("a process that is stopped does not join anew, whether it waits for the group or for its time", async () => {
    for (const answered of [false, true]) {
      const { group, processor, begin, pass, fenceIt, log } = start();
      await begin([0]);
      const answer = Promise.withResolvers<boolean>();
      group.confirmed = answer.promise;
      if (answered) answer.resolve(true);
      await fenceIt();
      await runUntilTold();
      await processor.stop();
      answer.resolve(true);
      await pass(20_000);
      expect([group.joined.length, processor.tasks()]).toEqual([1, []]);
      expect(log.some(({ message }) => message.includes("joining anew"))).toBe(answered);

      async function runUntilTold(): Promise<void> {
        const awaited = answered ? "joining anew" : "task was fenced";
        for (let i = 0; i < 1_000 && !log.some(({ message }) => message.includes(awaited)); i++) await pass(10);
      }
    }
  });

  test("a process that can't leave the group is lost", async () => {
    const { group, begin, pass, fenceIt, lost } = start();
    await begin([0]);
    group.left = () => Promise.reject(new Error("no coordinator"));
    await fenceIt();
    await pass(20_000);
    expect(lost).toEqual([new Error("no coordinator")]);
  });
});

test("a partition that was handed over and comes back later is fenced without asking the group", async () => {
  const { group, begin, pass, running, world, stops } = start();
  await begin([0]);
  group.listener!.onAssigned([]);
  await pass(10_000);
  expect(stops).toEqual([]);
  group.confirmed = false;
  group.listener!.onAssigned([0]);
  await runUntil(world, running);
});

test("a rebalance that begins makes the next commit take a snapshot", async () => {
  const { group, begin, world } = start({ options: { snapshotIntervalMs: 1e9 } });
  await begin([0]);
  group.listener!.onRebalancing();
  append(world, ["x"]);
  await runUntil(world, () => world.table.manifests.get(taskOf(0))?.covers?.nextOffset === 1);
});

test("a process that stops hands all over, leaves the group, and takes nothing more", async () => {
  const { group, processor, world, begin, pass, fences } = start();
  await begin([0]);
  append(world, ["x", "x"]);
  await pass(500);
  let progress: number | undefined;
  group.left = async () => void (progress = world.partitions[0]!.lastProgress()?.nextOffset);
  await world.until(processor.stop());
  expect([progress, processor.tasks()]).toEqual([2, []]);
  group.listener!.onAssigned([0]);
  await pass(10_000);
  expect([processor.tasks(), fences()]).toEqual([[], 1]);
});

test("the outputs that wait are bounded over all tasks of the process", async () => {
  const { world, begin, pass, paused } = start({
    options: { maxProcessUnsentBytes: 1_000 },
    wrap: (ports) =>
      Object.assign(ports, { output: Object.assign(ports.output, { send: () => new Promise(() => {}) }) }),
  });
  await begin([0]);
  append(world, Array<string>(100).fill("x"));
  await pass(1_000);
  expect(paused()).toBeGreaterThan(0);
});

/** A processor whose partition 0 stops at its third record. Its delays are none, so that times are whole seconds. */
async function stoppedPartition(observesAll: boolean) {
  const mend = { refuses: true };
  const open = new Set<TaskPorts>();
  const started = start({
    observesAll,
    wrap: (ports) => {
      open.add(ports);
      ports.input.close = () => open.delete(ports);
      const commit = ports.output.commit.bind(ports.output);
      ports.output.commit = (progress, last) =>
        mend.refuses && progress.nextOffset > 2
          ? Promise.reject(new MillraceError("output-refused", "simulated"))
          : commit(progress, last);
      return ports;
    },
  });
  const { world, processor, begin } = started;
  world.kernel.maxDelayMs = 0;
  append(world, ["x", "x"]);
  await begin([0]);
  await runUntil(world, () => world.caughtUp);
  append(world, ["x"]);
  await runUntil(world, () => processor.tasks()[0]!.stopped !== null);
  return { ...started, mend, open };
}

describe("a stopped partition", () => {
  test("says so once a minute with its alarm, and its lag, until it is recovered", async () => {
    const { processor, world, log, lags, stops, pass, running, mend } = await stoppedPartition(true);
    append(world, ["x", "x"]);
    await pass(150_000);
    const logged = log.filter(({ fields }) => fields["alarm"] !== undefined);
    const error = processor.tasks()[0]!.stopped;
    const fields = { task: taskOf(0), code: "output-refused", alarm: PARTITION_STOPPED, err: error };
    const [first] = logged;
    expect(logged).toEqual(
      [0, 60_000, 120_000].map((behind) => ({
        at: first!.at + behind,
        level: "error",
        message: "task stopped with a named error",
        fields,
      })),
    );
    expect(lags.at(-1)).toEqual([taskOf(0), 3]);
    expect([processor.tasks()[0]!.phase, stops]).toEqual(["ended", [true]]);
    // `recover` claims the manifest.
    mend.refuses = false;
    const manifest = world.table.manifests.get(taskOf(0))!;
    world.table.manifests.set(taskOf(0), { ...manifest, owner: "command", version: manifest.version + 1 });
    await runUntil(world, () => running() && world.caughtUp);
    expect(stops).toEqual([true, false]);
  });

  test("stays stopped while the table or the broker does not answer, or the manifest is gone", async () => {
    const { processor, world, lags, stops, pass } = await stoppedPartition(true);
    world.kernel.plan = (_process, point) => (/^(manifest|bounds)/.test(point) ? "error-before" : null);
    const before = lags.length;
    await pass(20_000);
    expect(lags.slice(before).length).toBeLessThanOrEqual(1);
    world.kernel.plan = () => null;
    world.table.manifests.clear();
    await pass(20_000);
    expect([processor.tasks()[0]!.phase, stops]).toEqual(["ended", [true]]);
    expect(lags.length).toBeGreaterThan(before + 5);
  });

  test("that is taken away is stopped no more, and says nothing more", async () => {
    const { group, log, lags, stops, pass, open } = await stoppedPartition(true);
    expect(open.size).toBe(1);
    group.listener!.onAssigned([]);
    await pass(3_000);
    const before = [log.length, lags.length];
    await pass(200_000);
    expect([[log.length, lags.length], stops, open.size]).toEqual([before, [true, false], 0]);
  });

  test("needs no observer of its lag and of its stop", async () => {
    const { group, world, running, pass, mend } = await stoppedPartition(false);
    await pass(10_000);
    group.listener!.onAssigned([]);
    group.listener!.onAssigned([0]);
    await pass(10_000);
    mend.refuses = false;
    const manifest = world.table.manifests.get(taskOf(0))!;
    world.table.manifests.set(taskOf(0), { ...manifest, owner: "command", version: manifest.version + 1 });
    await runUntil(world, () => running() && world.caughtUp);
  });
});
