import { describe, expect, test } from "@jest/globals";
import { MillraceError } from "../../../domain/errors.ts";
import { PARTITION_STOPPED } from "../../../domain/names.ts";
import type { TaskPorts } from "../../../processor/engine/ports.ts";
import { StepFailed } from "../../../processor/runtime/machine.ts";
import { countingMachineFactory, DECIDE, POISON } from "./counting-machine.ts";
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
    expect(await world.until(ended)).toMatchObject({
      kind: "fenced",
      error: { code: "fenced", message: `${TASK}: the group has given this partition to another` },
    });
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
    const alarms: [number, string, string, Record<string, unknown>][] = [];
    const { restarts, task } = startTask(world, {
      observer: {
        log: (level, fields, message) =>
          void (fields["alarm"] !== undefined && alarms.push([world.kernel.now, level, message, fields])),
        restarted: () => restarts.push(world.kernel.now),
      },
    });
    await runUntil(world, () => world.kernel.now > 60_000);
    expect(alarms).toEqual([]);
    // 0.1 s, doubled up to 10 s: 12 lives and the time that they take.
    expect(restarts.length).toBeLessThanOrEqual(13);
    expect(restarts.length).toBeGreaterThanOrEqual(8);
    expect(task.failing?.sinceMs).toBe(restarts[0]);
    await runUntil(world, () => alarms.length > 0);
    expect(task.phase).toBe("waiting");
    const [at, level, message, { err, sinceMs, ...fields }] = alarms[0]!;
    expect([level, message, fields]).toEqual([
      "error",
      "task begins again and again without a commit",
      { task: TASK, alarm: PARTITION_STOPPED },
    ]);
    expect([sinceMs, String(err)]).toEqual([at - restarts[0]!, "Error: simulated: commit:end failed"]);
    expect(sinceMs).toBeGreaterThanOrEqual(60_000);
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

describe("a task that a command holds from its start", () => {
  async function heldTask(confirm = true) {
    const world = emptyWorld();
    append(world, ones(5));
    const command = world.ports(world.kernel.process("recover"), 0).output;
    await world.until(command.hold({ command: "recover", since: "now" }));
    const started = startTask(world, { confirm: () => Promise.resolve(confirm) });
    await runUntil(world, () => started.task.phase === "held" && world.kernel.now > 5_000);
    return { world, command, ...started };
  }

  test("says so once, and hands over when it is asked to stop, without a fence", async () => {
    const { world, task, ended, fences, log } = await heldTask();
    expect(log).toEqual(["a command holds the task, which waits"]);
    task.stop();
    expect(await world.until(ended)).toEqual({ kind: "handed-over" });
    expect([fences(), task.hold]).toEqual([0, null]);
  });

  test("does not fence when the group has given the partition to another meanwhile", async () => {
    const { world, command, ended, fences } = await heldTask(false);
    await world.until(command.hold(null));
    expect(await world.until(ended)).toMatchObject({
      kind: "fenced",
      error: { message: `${TASK}: the group gave this partition to another during a hold` },
    });
    expect(fences()).toBe(0);
  });
});

test("a life that dies before its claim is in the log is not taken for fenced by the owner before it", async () => {
  const world = emptyWorld();
  append(world, ones(5));
  const first = startTask(world);
  await runUntil(world, () => world.caughtUp);
  world.kernel.kill(first.process);
  append(world, ones(1));
  let failed = false;
  world.kernel.plan = (_process, point) => {
    if (failed || point !== "claim:send") return null;
    failed = true;
    return "error-before";
  };
  const { fences } = startTask(world, {}, "second");
  await runUntil(world, () => world.caughtUp);
  expect(fences()).toBe(2);
});

describe("a running task", () => {
  test("commits nothing while there is nothing to process, and reports how long its first output took", async () => {
    const world = emptyWorld();
    const [ages, commits] = [[] as number[], [] as number[]];
    startTask(world, {
      observer: {
        recovered: (_task, ms) => ages.push(ms - world.kernel.now),
        committed: (_task, { nextOffset }) => commits.push(nextOffset),
      },
    });
    await runUntil(world, () => world.kernel.now > 10_000);
    expect([ages, commits, world.partitions[0]!.lastProgress()]).toEqual([[], [], null]);
    append(world, ["x"]);
    await runUntil(world, () => world.caughtUp);
    append(world, ["x"]);
    await runUntil(world, () => world.caughtUp);
    await world.kernel.run(world.kernel.now + 100, () => false);
    expect([ages, commits]).toEqual([[0], [1, 2]]); // the life began at 0
    const fields = ["nextOffset", "origin", "fingerprint", "version", "chain", "controls", "failed"];
    expect(Object.keys(world.partitions[0]!.lastProgress()!)).toEqual(fields);
  });

  test("steps what comes while a commit is under way, and reports each commit", async () => {
    const world = emptyWorld();
    const answer = Promise.withResolvers<void>();
    const commits: { nextOffset: number; lag: number; latencyMs: number }[] = [];
    let stepped = 0;
    let asked = 0;
    startTask(world, {
      observer: {
        stepped: (_task, records) => (stepped += records),
        committed: (_task, { nextOffset, lag, latencyMs }) => commits.push({ nextOffset, lag, latencyMs }),
      },
      wrap: (ports) => {
        const commit = ports.output.commit.bind(ports.output);
        ports.output.commit = async (progress, last) => {
          asked ||= world.kernel.now;
          await answer.promise;
          return commit(progress, last);
        };
        return ports;
      },
    });
    append(world, ones(1));
    await runUntil(world, () => asked > 0);
    append(world, ones(40));
    await runUntil(world, () => stepped === 41);
    answer.resolve();
    await runUntil(world, () => world.caughtUp);
    await world.kernel.run(world.kernel.now + 100, () => false);
    expect(commits.map(({ nextOffset, lag }) => [nextOffset, lag])).toEqual([
      [1, 0],
      [41, 0],
    ]);
    // The first waited for the other steps; a commit itself takes two calls of up to 10 ms.
    expect(commits[0]!.latencyMs).toBeGreaterThan(0);
    expect(commits[1]!.latencyMs).toBeLessThanOrEqual(20);
  });

  test("that ends takes what it has not sent off the account of its process", async () => {
    const world = emptyWorld();
    append(world, ones(5));
    let failing = true;
    world.kernel.plan = (_process, point, moment) =>
      failing && point === "send" && moment === "before" ? "error-before" : null;
    const { restarts, waiting } = startTask(world);
    await runUntil(world, () => restarts.length > 3);
    failing = false;
    await runUntil(world, () => world.caughtUp);
    await world.kernel.run(world.kernel.now + 100, () => false);
    expect(waiting.bytes).toBe(0);
  });
});

test("commits are as far apart as the commit interval says", async () => {
  const world = emptyWorld();
  const intervals: number[] = [];
  startTask(world, {
    options: { commitIntervalMs: 1_000 },
    observer: { committed: (_task, { intervalMs }) => intervals.push(intervalMs!) },
  });
  await runUntil(world, () => world.kernel.now > 500);
  for (let i = 0; i < 50; i++) {
    append(world, ones(1));
    await world.kernel.run(world.kernel.now + 200, () => false);
  }
  // Ten seconds of records.
  expect(intervals.length).toBeGreaterThanOrEqual(8);
  expect(intervals.length).toBeLessThanOrEqual(11);
  expect(Math.min(...intervals)).toBeGreaterThanOrEqual(1_000);
});

describe("a failure of a record", () => {
  test("is logged with its place, the task runs on a new machine, and the next commit takes a snapshot", async () => {
    const world = emptyWorld();
    const logged: unknown[] = [];
    let machines = 0;
    const { fences } = startTask(world, {
      options: { snapshotIntervalMs: NEVER },
      observer: {
        log: (level, fields, message) => logged.push([level, message, fields]),
        running: () => void machines++,
      },
    });
    append(world, ["x", POISON]);
    await runUntil(world, () => world.table.manifests.get(TASK)?.covers?.nextOffset === 2);
    expect([machines, fences()]).toEqual([2, 1]);
    expect(logged).toContainEqual([
      "error",
      "the pipeline's code failed on a record, which goes to the dead letters",
      { task: TASK, offset: 1, traceId: null, err: expect.any(StepFailed) },
    ]);
  });

  test("that comes up in catching up is logged, and the outputs do not come out as they were committed", async () => {
    const world = emptyWorld();
    append(world, ones(5));
    const first = startTask(world, { options: { snapshotIntervalMs: NEVER } });
    await runUntil(world, () => world.caughtUp);
    world.kernel.kill(first.process);
    const factory = countingMachineFactory(SOURCE);
    const { ended, log } = startTask(world, {
      factory: {
        ...factory,
        create: async (origin) => {
          const machine = await factory.create(origin);
          const step = machine.step.bind(machine);
          machine.step = (record) => {
            if (record.offset === 1 && origin.failures.size === 0) throw new StepFailed(1, new Error("new code"));
            step(record);
          };
          return machine;
        },
      },
    });
    expect(await world.until(ended)).toMatchObject({ kind: "stopped", error: { code: "replay-diverged" } });
    expect(log).toContain("the pipeline's code failed on a record, which goes to the dead letters");
  });

  test("that fails even as a dead letter stops the task", async () => {
    const world = emptyWorld();
    append(world, ones(3));
    const factory = countingMachineFactory(SOURCE);
    const { ended } = startTask(world, {
      factory: {
        ...factory,
        create: async (origin) => {
          const machine = await factory.create(origin);
          machine.step = ({ offset }) => {
            throw new StepFailed(offset, new Error("for ever"));
          };
          return machine;
        },
      },
    });
    expect(await world.until(ended)).toMatchObject({
      kind: "stopped",
      error: {
        code: "step-failed-again",
        message:
          `${TASK}: the record at offset 0 fails even as a dead letter: ` + "processing failed at offset 0: for ever",
      },
    });
  });

  test("while another key fires is logged with that key", async () => {
    const world = emptyWorld();
    const logged: unknown[] = [];
    const factory = countingMachineFactory(SOURCE);
    startTask(world, {
      factory: {
        ...factory,
        create: async (origin) => {
          const machine = await factory.create(origin);
          const step = machine.step.bind(machine);
          machine.step = (record) => {
            if (origin.failures.size === 0) throw new StepFailed(record.offset, new Error("broken"), "k2");
            step(record);
          };
          return machine;
        },
      },
      observer: { log: (level, fields, message) => logged.push([level, message, fields]) },
    });
    append(world, ["x"]);
    await runUntil(world, () => world.caughtUp);
    expect(logged).toContainEqual([
      "error",
      "the pipeline's code failed on what a key had open, which is dropped",
      { task: TASK, offset: 0, traceId: null, key: "k2", err: expect.any(StepFailed) },
    ]);
  });

  test("that is a model which is refused is logged with the reason", async () => {
    const world = emptyWorld();
    const logged: unknown[] = [];
    startTask(world, {
      factory: countingMachineFactory(SOURCE, "v1", false),
      observer: { log: (level, fields, message) => logged.push([level, message, fields]) },
    });
    append(world, [DECIDE]);
    await runUntil(world, () => world.caughtUp);
    const fields = { task: TASK, offset: 0, reason: "not here" };
    expect(logged).toContainEqual(["error", "a model record is refused", fields]);
  });
});

test("what a settle decides is committed before an output of a later record is sent", async () => {
  const world = emptyWorld();
  append(world, ["x", DECIDE, "x", "x"]);
  const commits: number[] = [];
  startTask(world, {
    options: { commitIntervalMs: 3_000 },
    observer: { committed: (_task, { nextOffset }) => commits.push(nextOffset) },
  });
  await runUntil(world, () => world.caughtUp);
  expect(commits[0]).toBe(2);
});

test("a task whose snapshot manifest another has claimed begins anew, and loses nothing", async () => {
  const world = emptyWorld();
  const { restarts, log } = startTask(world, { options: { snapshotIntervalMs: 100 } });
  append(world, ones(3));
  await runUntil(world, () => world.table.manifests.get(TASK)?.covers?.nextOffset === 3);
  const manifest = world.table.manifests.get(TASK)!;
  world.table.manifests.set(TASK, { ...manifest, owner: "other", version: manifest.version + 1 });
  await world.kernel.run(world.kernel.now + 200, () => false);
  append(world, ones(3));
  await runUntil(world, () => restarts.length > 0);
  expect(log.join()).toContain("another owner has claimed the snapshot manifest");
  append(world, ones(3));
  await runUntil(world, () => world.table.manifests.get(TASK)?.covers?.nextOffset === 9);
  const { committed, expected } = world.results()[0]!;
  expect([restarts.length, committed]).toEqual([1, expected]);
});

describe("a failure of a partition", () => {
  test("leaves the task one that fails when its last commit moves nothing", async () => {
    const world = emptyWorld();
    append(world, ones(5));
    let lives = 0;
    const { task, ended } = startTask(world, {
      wrap: (ports) => {
        const read = ports.input.read.bind(ports.input);
        const isFirst = ++lives === 1;
        ports.input.read = (waitMs) => {
          if (isFirst) throw new Error("a broker went away");
          if (lives > 1) throw new MillraceError("input-lost", "simulated");
          return read(waitMs);
        };
        return ports;
      },
    });
    expect(await world.until(ended)).toMatchObject({ kind: "stopped", error: { code: "input-lost" } });
    expect(world.partitions[0]!.lastProgress()?.nextOffset).toBe(0);
    expect(String(task.failing?.error)).toContain("a broker went away");
  });

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

  test("takes a snapshot of what was committed before", async () => {
    const world = emptyWorld();
    const { task, ended } = startTask(world, { options: { snapshotIntervalMs: NEVER } });
    append(world, ones(5));
    await runUntil(world, () => world.caughtUp);
    await world.kernel.run(world.kernel.now + 1_000, () => false);
    task.stop();
    expect(await world.until(ended)).toEqual({ kind: "handed-over" });
    expect(world.table.manifests.get(TASK)?.covers?.nextOffset).toBe(5);
  });

  test("commits nothing more when the snapshot covers all", async () => {
    const world = emptyWorld();
    const { task, ended } = startTask(world, { options: { snapshotIntervalMs: 1 } });
    append(world, ones(5));
    await runUntil(world, () => world.table.manifests.get(TASK)?.covers?.nextOffset === 5);
    const before = world.partitions[0]!.progress.length;
    task.stop();
    expect(await world.until(ended)).toEqual({ kind: "handed-over" });
    expect(world.partitions[0]!.progress).toHaveLength(before);
  });

  test("that takes too long is cut off, and nothing is written behind it", async () => {
    const world = emptyWorld();
    const [asked, answer] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    let held = false;
    const logged: unknown[] = [];
    const { task, ended } = startTask(world, {
      options: { handOverMs: 700, commitIntervalMs: 3_500 },
      observer: { log: (...given) => logged.push(given) },
      wrap: (ports) => {
        const send = ports.output.send.bind(ports.output);
        ports.output.send = async (outputs) => {
          held = true;
          asked.resolve();
          await answer.promise;
          return send(outputs);
        };
        return ports;
      },
    });
    append(world, ones(5));
    await runUntil(world, () => held);
    task.stop();
    const from = world.kernel.now;
    expect(await world.until(ended)).toEqual({ kind: "handed-over" });
    expect(world.kernel.now - from).toBeGreaterThanOrEqual(700);
    expect(world.kernel.now - from).toBeLessThan(800);
    expect(logged).toContainEqual([
      "warn",
      { task: TASK, ms: 700 },
      "the hand-over took too long and was cut off; the next owner catches up",
    ]);
    answer.resolve();
    await world.kernel.run(world.kernel.now + 5_000, () => false);
    expect(world.partitions[0]!.lastProgress()).toBeNull();
  });

  test("whose commit is refused, or fenced, ends as that", async () => {
    for (const [code, kind] of [
      ["output-refused", "stopped"],
      ["fenced", "fenced"],
    ] as const) {
      const world = emptyWorld();
      const { task, ended } = startTask(world, {
        options: { commitIntervalMs: 3_500 },
        wrap: (ports) => {
          ports.output.commit = () => Promise.reject(new MillraceError(code, "simulated"));
          return ports;
        },
      });
      append(world, ones(5));
      await runUntil(world, () => task.phase === "running" && world.kernel.now > 500);
      task.stop();
      expect(await world.until(ended)).toMatchObject({ kind, error: { code } });
    }
  });

  test("begins at once, whatever the task waits for", async () => {
    const world = emptyWorld();
    const { task, ended } = startTask(world);
    await runUntil(world, () => world.kernel.now > 1_500);
    task.stop();
    const from = world.kernel.now;
    await world.until(ended);
    expect(world.kernel.now - from).toBeLessThan(50);
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
