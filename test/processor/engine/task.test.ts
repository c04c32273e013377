import { describe, expect, test } from "@jest/globals";
import { MillraceError } from "../../../domain/errors.ts";
import type { TaskPorts } from "../../../processor/engine/ports.ts";
import { countingMachineFactory, POISON } from "./counting-machine.ts";
import { append, emptyWorld, runUntil, startTask } from "./one-task.ts";
import { SOURCE } from "./simulated/world.ts";

const TASK = `count/${SOURCE}/0`;
const NEVER = 1e9;
const ones = (count: number): string[] => Array.from({ length: count }, () => "x");

describe("a task after an uncertain outcome", () => {
  test("asks the group before it fences again, and ends without a fence when another has the partition", async () => {
    const world = emptyWorld();
    append(world, ones(5));
    world.kernel.plan = (_process, point, moment) =>
      point === "commit:end" && moment === "before" ? "error-before" : null;
    const { ended, fences } = startTask(world, { confirm: () => Promise.resolve(false) });
    expect(await world.until(ended)).toMatchObject({ kind: "fenced" });
    expect(fences()).toBe(1);
  });

  test("ends when a newer owner has claimed the partition meanwhile", async () => {
    const world = emptyWorld();
    append(world, ones(5));
    let lost = false;
    world.kernel.plan = (process, point) => {
      if (process.name !== "p" || point !== "commit:end" || lost) return null;
      lost = true;
      const heir = world.ports(world.kernel.process("heir"), 0).output;
      void heir.fence().then(() => heir.claim("heir"));
      return "error-before";
    };
    const { ended, fences } = startTask(world, { options: { backoffMs: { first: 1_000, most: 1_000 } } });
    expect(await world.until(ended)).toMatchObject({ kind: "fenced" });
    expect(fences()).toBe(1);
  });

  test("waits longer and longer until a life has committed something, however far the lives get", async () => {
    const world = emptyWorld();
    append(world, ones(5));
    let failing = true;
    world.kernel.plan = (_process, point, moment) =>
      failing && point === "commit:end" && moment === "before" ? "error-before" : null;
    const { restarts, task } = startTask(world);
    await runUntil(world, () => world.kernel.now > 60_000);
    // 0.1 s, doubled up to 10 s: 12 lives and the time that they take.
    expect(restarts.length).toBeLessThanOrEqual(13);
    expect(restarts.length).toBeGreaterThanOrEqual(8);
    expect(task.failing?.sinceMs).toBe(restarts[0]);
    failing = false;
    await runUntil(world, () => task.failing === null);
    failing = true;
    append(world, ones(1));
    const before = restarts.length;
    await runUntil(world, () => restarts.length >= before + 2);
    expect(restarts[before + 1]! - restarts[before]!).toBeLessThan(1_000);
  });
});

describe("a task that is fenced", () => {
  test("ends and does not fence back", async () => {
    const world = emptyWorld();
    append(world, ones(5));
    const { ended, fences } = startTask(world);
    await runUntil(world, () => world.caughtUp);
    const heir = world.ports(world.kernel.process("heir"), 0).output;
    await world.until(heir.fence());
    append(world, ones(1));
    expect(await world.until(ended)).toMatchObject({ kind: "fenced", error: { code: "fenced" } });
    expect(fences()).toBe(1);
  });

  test("waits for a command that holds it, and continues when the hold is taken away", async () => {
    const world = emptyWorld();
    append(world, ones(5));
    const { task, fences } = startTask(world);
    await runUntil(world, () => world.caughtUp);
    const command = world.ports(world.kernel.process("recover"), 0).output;
    await world.until(command.hold({ command: "recover", since: "now" }));
    await world.until(command.fence());
    await world.until(command.claim("command/1"));
    append(world, ones(1));
    await runUntil(world, () => task.phase === "held");
    expect(task.hold).toEqual({ command: "recover", since: "now" });
    await runUntil(world, () => world.kernel.now > 30_000);
    expect(fences()).toBe(1);
    await world.until(command.hold(null));
    await runUntil(world, () => world.caughtUp);
    expect(task.hold).toBeNull();
    expect(fences()).toBe(2);
  });
});

describe("a failure of a partition", () => {
  test("stops the task after one fence, whatever it was doing, and what was settled is committed", async () => {
    const refused = (): Promise<never> =>
      Promise.reject(new MillraceError("output-refused", "MESSAGE_TOO_LARGE, simulated"));
    const wraps: ((ports: TaskPorts) => TaskPorts)[] = [
      (ports) => Object.assign(ports, { output: Object.assign(ports.output, { send: refused, commit: refused }) }),
    ];
    for (const wrap of wraps) {
      const world = emptyWorld();
      append(world, ones(5));
      const { ended, fences, restarts } = startTask(world, { wrap });
      expect(await world.until(ended)).toMatchObject({ kind: "stopped", error: { code: "output-refused" } });
      expect(fences()).toBe(1);
      expect(restarts).toEqual([]);
    }
  });

  test("that a read or a step finds comes after a commit of all that was stepped before it", async () => {
    const world = emptyWorld();
    append(world, ones(5));
    let reads = 0;
    const { ended } = startTask(world, {
      options: { commitIntervalMs: 3_000 },
      wrap: (ports) => {
        const read = ports.input.read.bind(ports.input);
        ports.input.read = async (waitMs) => {
          if (++reads > 1 && world.partitions[0]!.latest === 5 && (await read(0)).length === 0)
            throw new MillraceError("input-lost", "simulated");
          return read(waitMs);
        };
        return ports;
      },
    });
    expect(await world.until(ended)).toMatchObject({ kind: "stopped", error: { code: "input-lost" } });
    const { committed, expected } = world.results()[0]!;
    expect(committed.length).toBeGreaterThan(0);
    expect(expected.slice(0, committed.length)).toEqual(committed);
  });
});

describe("a hand-over", () => {
  test("commits what was stepped, and its snapshot covers all that was committed", async () => {
    const world = emptyWorld();
    const { task, ended } = startTask(world, {
      options: { commitIntervalMs: 3_500, snapshotIntervalMs: NEVER },
    });
    append(world, ones(20));
    await runUntil(world, () => task.phase === "running" && world.kernel.now > 500);
    expect(world.partitions[0]!.lastProgress()?.nextOffset ?? 0).toBeLessThan(20);
    task.stop();
    expect(await world.until(ended)).toEqual({ kind: "handed-over" });
    expect(world.partitions[0]!.lastProgress()?.nextOffset).toBe(20);
    expect(world.table.manifests.get(TASK)?.covers?.nextOffset).toBe(20);
    const { committed, expected } = world.results()[0]!;
    expect(committed).toEqual(expected);
  });

  test("that is near makes the next commit take a snapshot", async () => {
    const world = emptyWorld();
    const { task } = startTask(world, { options: { snapshotIntervalMs: NEVER } });
    append(world, ones(10));
    await runUntil(world, () => world.caughtUp);
    expect(world.table.manifests.get(TASK)?.covers).toBeNull();
    task.prepareHandOver();
    append(world, ones(1));
    await runUntil(world, () => world.table.manifests.get(TASK)?.covers?.nextOffset === 11);
  });
});

test("a record that our code failed on stays a dead letter for repaired code, also without a snapshot", async () => {
  const world = emptyWorld();
  append(world, ["x", POISON, "x", "x"]);
  const first = startTask(world, { options: { snapshotIntervalMs: NEVER } });
  await runUntil(world, () => world.caughtUp);
  world.kernel.kill(first.process);
  // The snapshot that follows a failure is lost, and with it its manifest.
  world.table.manifests.clear();
  const factory = countingMachineFactory(SOURCE);
  const repaired = {
    ...factory,
    create: (origin: Parameters<typeof factory.create>[0]) => {
      const machine = factory.create(origin);
      const known = [...origin.failures.values()].map(({ offset }) => offset);
      expect(known).toEqual([1]);
      return machine;
    },
  };
  const second = startTask(world, { factory: repaired }, "second");
  append(world, ["x"]);
  await runUntil(world, () => world.caughtUp || second.log.length > 50);
  const { committed, expected } = world.results()[0]!;
  expect(committed).toEqual(expected);
});

test("a snapshot keeps at most 60 generations, however many keys change one at a time", async () => {
  const world = emptyWorld();
  const { task } = startTask(world, { options: { snapshotIntervalMs: 1, commitIntervalMs: 1 } });
  await runUntil(world, () => task.phase === "running");
  const log = world.partitions[0]!;
  for (let i = 0; i < 200; i++) {
    log.append({
      partition: 0,
      offset: log.latest,
      timestamp: 0,
      key: Buffer.from(`key-${i}`),
      value: Buffer.from("x"),
      headers: {},
    });
    await runUntil(world, () => world.caughtUp);
    await world.kernel.run(world.kernel.now + 100, () => false);
  }
  const { segments } = world.table.manifests.get(TASK)!;
  expect(segments.length).toBeGreaterThan(50);
  expect(segments.length).toBeLessThanOrEqual(60);
});

test("reading stops while too many outputs wait for a transaction, by number and by weight", async () => {
  for (const [bound, most] of [
    [{ maxUnsentOutputs: 30 }, 30 + 16],
    [{ maxUnsentBytes: 4_000 }, 60],
    [{ maxProcessUnsentBytes: 4_000 }, 60],
  ] as const) {
    const world = emptyWorld();
    append(world, ones(1_000));
    let stepped = 0;
    let paused = 0;
    let answer: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (answer = resolve));
    startTask(world, {
      options: bound,
      observer: {
        stepped: (_task, records) => (stepped += records),
        waiting: (_task, facts) => (paused += facts.paused ? 1 : 0),
      },
      wrap: (ports) => {
        const send = ports.output.send.bind(ports.output);
        ports.output.send = async (outputs) => {
          await held;
          return send(outputs);
        };
        return ports;
      },
    });
    await runUntil(world, () => world.kernel.now > 20_000);
    expect(stepped).toBeGreaterThan(5);
    expect(stepped).toBeLessThanOrEqual(most);
    expect(paused).toBeGreaterThan(0);
    answer();
    await runUntil(world, () => world.caughtUp);
    const { committed, expected } = world.results()[0]!;
    expect(committed).toEqual(expected);
  }
});

test("a batch is cut at a quarter of the transaction timeout, however long its steps take", async () => {
  const world = emptyWorld();
  append(world, ones(64));
  const intervals: number[] = [];
  const factory = countingMachineFactory(SOURCE);
  const slow = {
    ...factory,
    create: async (origin: Parameters<typeof factory.create>[0]) => {
      const machine = await factory.create(origin);
      const step = machine.step.bind(machine);
      machine.step = (record) => {
        world.kernel.now += 500; // a step of half a second
        step(record);
      };
      return machine;
    },
  };
  startTask(world, {
    factory: slow,
    options: { transactionTimeoutMs: 8_000 },
    observer: { committed: (_task, { intervalMs }) => intervals.push(intervalMs!) },
  });
  await runUntil(world, () => world.caughtUp);
  // Two seconds, and the step that reaches them.
  expect(Math.max(...intervals)).toBeLessThan(2_600);
  expect(intervals.length).toBeGreaterThanOrEqual(64 / 5 - 1);
});
