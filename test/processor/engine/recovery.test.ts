import { describe, expect, test } from "@jest/globals";
import { createLogger } from "../../../adapters/log.ts";
import { quietObserver } from "../../../processor/engine/quiet-observer.ts";
import type { RecoveryChoice } from "../../../processor/engine/recovery-choices.ts";
import { diagnose, recover, type Diagnosis } from "../../../processor/engine/recovery.ts";
import { stepAll, type OutputRecord, type StateMachine } from "../../../processor/runtime/machine.ts";
import { countingMachineFactory } from "./counting-machine.ts";
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
    return { topic: topic!, key: key!, value: Buffer.from(body.join(" ")), headers: {}, scored: false };
  });
}

const lines = (world: World): number => world.partitions[0]!.committed.length;

describe("a task that stopped with a named error", () => {
  test("replay-diverged: `accept-new-code` continues with the new code and writes nothing twice", async () => {
    const world = await stoppedWorld(() => undefined, "v2");
    const { problem, choices } = await diagnosis(world);
    expect(problem?.code).toBe("replay-diverged");
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
