import { describe, expect, test } from "@jest/globals";
import { createLogger } from "../../../adapters/log.ts";
import { MillraceError } from "../../../domain/errors.ts";
import type { Hold, Progress, TaskOutput } from "../../../processor/engine/ports.ts";
import { quietObserver } from "../../../processor/engine/quiet-observer.ts";
import type { RecoveryChoice } from "../../../processor/engine/recovery-choices.ts";
import { diagnose, holdTask, recover, type Diagnosis } from "../../../processor/engine/recovery.ts";
import { stepAll, StepFailed, type OutputRecord, type StateMachine } from "../../../processor/runtime/machine.ts";
import { countingMachineFactory, DECIDE, POISON } from "./counting-machine.ts";
import { append, emptyWorld, runUntil, startTask } from "./one-task.ts";
import { SOURCE, World } from "./simulated/world.ts";

const NOW = "2026-01-01T00:00:00Z";
const TASK = `count/${SOURCE}/0`;

/** A world whose task has committed more than its last snapshot covers, and has stopped after `breakIt`. */
async function stoppedWorld(breakIt: (world: World) => void, fingerprint = "v1"): Promise<World> {
  const world = new World({
    seed: 3,
    partitions: 1,
    processors: 1,
    task: { snapshotIntervalMs: 1_000 },
    restartMs: 10_000,
  });
  world.feed(60, 3_000);
  await world.kernel.run(
    20_000,
    () =>
      world.kernel.now > 1_500 &&
      (world.table.manifests.get(TASK)?.covers?.nextOffset ?? Infinity) <
        world.partitions[0]!.lastProgress()!.nextOffset - 2,
  );
  world.kernel.kill(world.processors[0]!.process);
  // Requests that were under way arrive.
  await world.kernel.run(world.kernel.now + 100, () => false);
  breakIt(world);
  world.factory = countingMachineFactory(SOURCE, fingerprint);
  expect(await world.kernel.run(60_000, () => world.stopped.length > 0)).toBe(true);
  return world;
}

function parts(world: World) {
  const process = world.kernel.process("recover");
  return {
    task: TASK,
    partition: 0,
    factory: world.factory,
    ports: world.ports(process, 0),
    open: () => world.ports(process, 0).output,
    runtime: world.runtime(process),
    observer: quietObserver(createLogger("test", "silent")),
  };
}

async function diagnosis(world: World): Promise<Diagnosis> {
  return world.until(diagnose(parts(world), world.partitions[0]!.lastProgress()));
}

/** Recovers. The stopped processor must then continue by itself to the end of the log. */
async function recovered(
  world: World,
  choice: RecoveryChoice,
): Promise<{ committed: string[]; expected: string[]; outputsBefore: number }> {
  const outputsBefore = world.partitions[0]!.committed.length;
  const { open, ...given } = parts(world);
  await world.until(recover(given, choice, open, NOW));
  const done = (): boolean => world.caughtUp && world.stopped.length === 0;
  expect(await world.kernel.run(world.kernel.now + 60_000, done)).toBe(true);
  const { committed, expected } = world.results()[0]!;
  return { committed, expected, outputsBefore };
}

/** A machine that has stepped the log below `offset`. */
async function countedTo(world: World, offset: number): Promise<StateMachine> {
  const machine = await world.factory.create({ partition: 0, restored: null, failures: new Map() });
  await stepAll(
    machine,
    world.partitions[0]!.input.filter((record) => record.offset < offset),
  );
  return machine;
}

/** What the log gives, by the calculation that uses no machine. */
function outputsOf(world: World): OutputRecord[] {
  return world.results()[0]!.expected.map((line) => {
    const [topic, key, ...body] = line.split(" ");
    return { topic: topic!, key: key!, value: Buffer.from(body.join(" ")), headers: {} };
  });
}

const lines = (world: World): number => world.partitions[0]!.committed.length;

describe("a task that stopped with a named error", () => {
  test("committed-by-other-code: `accept-new-code` continues with the new code and writes nothing twice", async () => {
    const world = await stoppedWorld(() => undefined, "v2");
    const { problem, choices } = await diagnosis(world);
    expect(problem?.code).toBe("committed-by-other-code");
    expect(choices).toEqual(["accept-new-code", "rebuild"]);
    const { committed, expected, outputsBefore } = await recovered(world, "accept-new-code");
    const id = (line: string): string => line.split(" ").slice(0, 3).join(" ");
    expect(committed.map(id)).toEqual(expected.map(id));
    expect(committed.slice(0, outputsBefore)).toEqual(expected.slice(0, outputsBefore));
    // The new code outputs ten times the count, from the first record that was not committed.
    expect(committed.slice(outputsBefore)).toEqual(expected.slice(outputsBefore).map((line) => `${line}0`));
  });

  test("snapshot-corrupt: `rebuild` runs the log again and gives every output exactly once", async () => {
    const world = await stoppedWorld(({ table }) => table.segments.clear());
    expect((await diagnosis(world)).problem?.code).toBe("snapshot-corrupt");
    const { committed, expected } = await recovered(world, "rebuild");
    expect(committed).toEqual(expected);
  });

  test("snapshot-ahead: `rebuild` gives every output exactly once", async () => {
    const world = await stoppedWorld(({ table }) => {
      const manifest = table.manifests.get(TASK)!;
      table.manifests.set(TASK, {
        ...manifest,
        covers: { ...manifest.covers!, nextOffset: manifest.covers!.nextOffset + 1_000 },
      });
    });
    expect((await diagnosis(world)).problem?.code).toBe("snapshot-ahead");
    const { committed, expected } = await recovered(world, "rebuild");
    expect(committed).toEqual(expected);
  });

  test("state-layout-unknown: `rebuild` gives every output exactly once", async () => {
    const world = await stoppedWorld(({ table }) =>
      table.manifests.set(TASK, { ...table.manifests.get(TASK)!, layout: 99 }),
    );
    expect((await diagnosis(world)).problem?.code).toBe("state-layout-unknown");
    const { committed, expected } = await recovered(world, "rebuild");
    expect(committed).toEqual(expected);
  });

  test("progress-missing: `trust-snapshot` repeats the outputs since the snapshot and loses none", async () => {
    const world = await stoppedWorld(({ partitions }) => partitions[0]!.progress.splice(0));
    expect((await diagnosis(world)).problem?.code).toBe("progress-missing");
    const { committed, expected } = await recovered(world, "trust-snapshot");
    expect(committed.length).toBeGreaterThan(expected.length);
    expect([...new Set(committed)].sort()).toEqual([...expected].sort());
  });

  test("progress-missing: `start-over` repeats all outputs, with their ids", async () => {
    const world = await stoppedWorld(({ partitions }) => partitions[0]!.progress.splice(0));
    const { committed, expected, outputsBefore } = await recovered(world, "start-over");
    expect(committed.slice(outputsBefore)).toEqual(expected);
  });

  test("input-lost: `skip-lost` continues after the gap with the state from before it", async () => {
    const world = await stoppedWorld(({ partitions: [log] }) => {
      log!.earliest = log!.lastProgress()!.nextOffset + 5;
      for (let i = 0; i < 10; i++)
        log!.append({
          partition: 0,
          offset: log!.latest,
          timestamp: 0,
          key: Buffer.from("k0"),
          value: Buffer.from("x"),
          headers: {},
        });
      log!.input.splice(
        0,
        log!.input.findIndex((record) => record.offset >= log!.earliest),
      );
    });
    expect((await diagnosis(world)).problem?.code).toBe("input-lost");
    const before = lines(world);
    const { committed } = await recovered(world, "skip-lost");
    const offsets = committed
      .slice(before)
      .filter((line) => line.includes("-counts"))
      .map((line) => Number(line.split(" ")[2]!.split("/")[2]));
    expect(offsets).toEqual(world.partitions[0]!.input.map(({ offset }) => offset));
    expect(new Set(committed.map((line) => line.split(" ").slice(0, 3).join(" "))).size).toBe(committed.length);
  });

  test("input-lost: a log that was created anew is refused by every choice: its ids were given before", async () => {
    const world = await stoppedWorld(({ partitions: [log] }) => void log!.input.splice(0));
    const { problem, choices } = await diagnosis(world);
    expect(problem).toMatchObject({
      code: "input-lost",
      message: expect.stringContaining("LOG_GENERATION one higher"),
    });
    const before = lines(world);
    const { open, ...given } = parts(world);
    for (const choice of choices)
      await expect(world.until(recover(given, choice, open, NOW))).rejects.toThrow(
        /start the processors with LOG_GENERATION one higher/,
      );
    expect(lines(world)).toBe(before);
  });

  test("a recovery that takes long is not fenced by the task that it recovers", async () => {
    const world = await stoppedWorld(({ table }) => table.segments.clear());
    world.feed(3_000, 1);
    await world.kernel.run(world.kernel.now + 2, () => false);
    const [log] = world.partitions;
    // All of it was committed, so all of it has to be run again.
    const last = log!.lastProgress()!;
    const { chain } = await countedTo(world, log!.latest);
    log!.progress.push({ ...last, nextOffset: log!.latest, chain, owner: "before" });
    log!.committed.splice(0, log!.committed.length, ...outputsOf(world));
    world.kernel.maxDelayMs = 50;
    const before = log!.epoch;
    const { committed, expected } = await recovered(world, "rebuild");
    expect(committed).toEqual(expected);
    const runs = (): boolean => world.processors[0]!.processor.tasks()[0]?.phase === "running";
    expect(await world.kernel.run(world.kernel.now + 60_000, runs)).toBe(true);
    expect(log!.epoch - before).toBe(2); // the command's fence and the task's
  });

  test("a running task waits while it is recovered, and continues", async () => {
    const world = new World({ seed: 5, partitions: 1, processors: 1 });
    world.feed(500, 4_000);
    await world.kernel.run(2_000, () => false);
    const { open, ...given } = parts(world);
    await world.until(recover(given, "rebuild", open, NOW));
    expect(await world.kernel.run(world.kernel.now + 60_000, () => world.kernel.now > 4_000 && world.caughtUp)).toBe(
      true,
    );
    const { committed, expected } = world.results()[0]!;
    expect(committed).toEqual(expected);
    expect(world.rejoins).toBe(0);
    expect(world.partitions[0]!.hold).toBeNull();
  });

  test("does not change by a choice whose conditions are not met", async () => {
    const world = await stoppedWorld(({ partitions }) => partitions[0]!.progress.splice(0));
    const { open, ...given } = parts(world);
    await expect(world.until(recover(given, "rebuild", open, NOW))).rejects.toThrow("needs a progress record");
    expect((await diagnosis(world)).problem?.code).toBe("progress-missing");
  });
});

/** A task that has committed all of `values`, with a snapshot below or without one, and runs no more. */
async function deadTask(
  values: readonly string[],
  { snapshots = false, takes = true }: { readonly snapshots?: boolean; readonly takes?: boolean } = {},
): Promise<World> {
  const world = emptyWorld();
  const factory = countingMachineFactory(SOURCE, "v1", takes);
  const { process } = startTask(world, { factory, options: { snapshotIntervalMs: snapshots ? 1 : 1e9 } });
  append(world, values.slice(0, 5));
  await runUntil(world, () => world.caughtUp);
  await world.kernel.run(world.kernel.now + 100, () => false);
  append(world, values.slice(5));
  await runUntil(world, () => world.caughtUp);
  await world.kernel.run(world.kernel.now + 100, () => false);
  world.kernel.kill(process);
  return world;
}

async function recoveredBy(world: World, choice: RecoveryChoice): Promise<Progress | null> {
  const { open, ...given } = parts(world);
  return world.until(recover(given, choice, open, NOW));
}

const ones = (count: number): string[] => Array<string>(count).fill("x");
/** Progress records of releases before settings stood in the log name no control records. */
function withoutControls(world: World): void {
  const { progress } = world.partitions[0]!;
  for (const [i, entry] of progress.entries())
    if (!("claim" in entry)) {
      const { controls: _controls, ...before } = entry;
      progress[i] = before;
    }
}

describe("a diagnosis", () => {
  test("of a task that only died finds no problem, with or without a snapshot", async () => {
    for (const snapshots of [true, false]) {
      const world = await deadTask(ones(9), { snapshots });
      const progress = world.partitions[0]!.lastProgress();
      expect(await diagnosis(world)).toEqual({
        task: TASK,
        progress,
        manifest: world.table.manifests.get(TASK),
        log: { earliest: 0, latest: 9 },
        problem: null,
        choices: [],
      });
      expect(world.partitions[0]!.epoch).toBe(1);
    }
  });

  test("of a task that never ran, or has no manifest, finds no problem", async () => {
    const never = emptyWorld();
    expect(await diagnosis(never)).toMatchObject({ progress: null, manifest: null, problem: null });
    const without = await deadTask(ones(5));
    without.table.manifests.clear();
    expect(await diagnosis(without)).toMatchObject({ manifest: null, problem: null });
    const claimed = await deadTask(ones(5));
    claimed.partitions[0]!.progress.splice(0);
    expect(await diagnosis(claimed)).toMatchObject({ manifest: { covers: null }, progress: null, problem: null });
  });

  test("of other code says what was reached and what was committed, by which code", async () => {
    const world = await deadTask(ones(9));
    world.factory = countingMachineFactory(SOURCE, "v2");
    const { chain } = world.partitions[0]!.lastProgress()!;
    const { chain: reached } = await countedTo(world, 9);
    expect((await diagnosis(world)).problem?.message).toContain(
      `catching up reached offset 9 with chain ${reached}, but offset 9 with chain ${chain} was committed ` +
        "by version v1 (code v1), which gives other outputs than this code (v2)",
    );
  });

  test("of an error without a choice has none, and a table that does not answer is no diagnosis", async () => {
    const world = await deadTask([...ones(4), POISON]);
    const stubborn = countingMachineFactory(SOURCE);
    world.factory = {
      ...stubborn,
      create: () => Promise.reject(new MillraceError("step-failed-again", "simulated")),
    };
    expect(await diagnosis(world)).toMatchObject({ problem: { code: "step-failed-again" }, choices: [] });
    world.kernel.plan = (_process, point) => (point === "manifest:read" ? "error-before" : null);
    await expect(diagnosis(world)).rejects.toThrow("manifest:read failed");
  });
});

describe("a command that holds a task", () => {
  /** Outputs of owners that a rival fences before they claim, as long as `rivals` lasts. */
  function contested(world: World, rivals: number) {
    const process = world.kernel.process("command");
    const [opened, discarded] = [[] as TaskOutput[], [] as TaskOutput[]];
    const open = (): TaskOutput => {
      const output = world.ports(process, 0).output;
      const claim = output.claim.bind(output);
      const isFenced = opened.push(output) <= rivals;
      output.claim = async (token) => {
        if (isFenced) await world.ports(process, 0).output.fence();
        return claim(token);
      };
      output.discard = async () => void discarded.push(output);
      return output;
    };
    const hold = holdTask({ command: "test", since: NOW }, open, world.runtime(process));
    return { hold, opened, discarded };
  }

  test("fences again while its owner has not seen the hold, five times at most", async () => {
    const world = await deadTask(ones(3));
    const { hold, opened, discarded } = contested(world, 4);
    const { output, committed } = await world.until(hold);
    expect([opened.length, discarded]).toEqual([5, opened.slice(0, 4)]);
    expect(output).toBe(opened[4]);
    expect(committed?.nextOffset).toBe(3);
    expect(world.partitions[0]!.hold).toEqual({ command: "test", since: NOW });
    const never = contested(world, 99);
    await expect(world.until(never.hold)).rejects.toMatchObject({ code: "fenced" });
    expect([never.opened.length, never.discarded]).toEqual([5, never.opened]);
  });

  test("ends at once when what it does fails otherwise", async () => {
    const world = await deadTask(ones(3));
    world.kernel.plan = (_process, point) => (point === "claim:commit" ? "error-before" : null);
    const { hold, opened, discarded } = contested(world, 0);
    await expect(world.until(hold)).rejects.toThrow("claim:commit failed");
    expect([opened.length, discarded]).toEqual([1, opened]);
  });
});

describe("a recovery leaves", () => {
  test("its hold in the log while it lasts, under its name", async () => {
    const world = await deadTask(ones(9));
    const holds: (Hold | null)[] = [];
    world.kernel.plan = (_process, point) => {
      if (point === "commit:send") holds.push(world.partitions[0]!.hold);
      return null;
    };
    await recoveredBy(world, "rebuild");
    expect(holds).toContainEqual({ command: "recover", since: NOW });
    expect(world.partitions[0]!.hold).toBeNull();
  });

  test("all as it is by `try-again`", async () => {
    const world = await deadTask(ones(9), { snapshots: true });
    const [before, manifest] = [world.partitions[0]!.lastProgress(), world.table.manifests.get(TASK)!];
    expect(await recoveredBy(world, "try-again")).toEqual(before);
    expect(world.partitions[0]!.lastProgress()).toEqual(before);
    const { covers, segments } = world.table.manifests.get(TASK)!;
    expect({ covers, segments }).toEqual({ covers: manifest.covers, segments: manifest.segments });
  });

  test("a snapshot of what was committed by `rebuild`, and none by `start-over`", async () => {
    const world = await deadTask(ones(9));
    const { chain } = world.partitions[0]!.lastProgress()!;
    const { controls } = world.partitions[0]!.lastProgress()!;
    const common = { origin: 0, fingerprint: "v1", version: "v1", controls, failed: [] };
    expect(await recoveredBy(world, "rebuild")).toStrictEqual({ nextOffset: 9, chain, ...common });
    expect(world.table.manifests.get(TASK)?.covers).toMatchObject({ nextOffset: 9, chain });
    expect(await recoveredBy(world, "start-over")).toStrictEqual({ nextOffset: 0, chain: "", ...common });
    expect(world.table.manifests.get(TASK)).toMatchObject({ covers: null, segments: [] });
  });

  test("what a task ran under before settings stood in the log, but for `start-over`", async () => {
    for (const [choice, before] of [
      ["rebuild", "v1"],
      ["start-over", undefined],
    ] as const) {
      const world = await deadTask(ones(9));
      withoutControls(world);
      expect((await recoveredBy(world, choice))?.before).toBe(before);
    }
  });

  test("what failed and what was refused as it was, and finds again what older code failed on", async () => {
    // Refused by a process that has no such model, and recovered by one that has it.
    const refused = await deadTask([...ones(6), DECIDE, ...ones(3)], { takes: false });
    const { chain, failed } = refused.partitions[0]!.lastProgress()!;
    expect(failed).toEqual([{ offset: 6, key: null, message: "not here" }]);
    expect((await recoveredBy(refused, "rebuild"))?.chain).toBe(chain);
    // The snapshot covers the failure, so progress names it no more.
    const poisoned = await deadTask([POISON, ...ones(8)], { snapshots: true });
    const last = poisoned.partitions[0]!.lastProgress()!;
    expect(last.failed).toEqual([]);
    expect((await recoveredBy(poisoned, "rebuild"))?.chain).toBe(last.chain);
  });

  test("a record that fails even as a dead letter to who repairs the code", async () => {
    const world = await deadTask(ones(5));
    const factory = countingMachineFactory(SOURCE);
    world.factory = {
      ...factory,
      create: async (origin) => {
        const machine = await factory.create(origin);
        machine.step = ({ offset }) => {
          throw new StepFailed(offset, new Error("for ever"));
        };
        return machine;
      },
    };
    await expect(recoveredBy(world, "rebuild")).rejects.toThrow("for ever");
  });
});
