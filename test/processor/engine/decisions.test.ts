import { expect, test } from "@jest/globals";
import { createLogger } from "../../../adapters/log.ts";
import { quietObserver } from "../../../processor/engine/quiet-observer.ts";
import { diagnose, recover } from "../../../processor/engine/recovery.ts";
import { countingMachineFactory, DECIDE, outputTopics } from "./counting-machine.ts";
import { SOURCE, World } from "./simulated/world.ts";

const TASK = `count/${SOURCE}/0`;
const DEAD = outputTopics(SOURCE).dead;

/** A world in which one record among others has to be decided, as a model record has. */
function worldThat(takes: boolean): World {
  const world = new World({
    seed: 5,
    partitions: 1,
    processors: 1,
    factory: countingMachineFactory(SOURCE, "v1", takes),
    task: { snapshotIntervalMs: 60_000 },
    restartMs: 5_000,
  });
  world.feed(20, 1_000);
  world.kernel.schedule(500, null, () => {
    const log = world.partitions[0]!;
    log.append({
      partition: 0,
      offset: log.latest,
      timestamp: 500,
      key: Buffer.from("k1"),
      value: Buffer.from(DECIDE),
      headers: {},
    });
  });
  return world;
}

/** Runs until everything is committed, then kills the processor: the next owner decides with `takes`. */
async function takenOver(world: World, takes: boolean): Promise<void> {
  expect(await world.kernel.run(20_000, () => world.kernel.now > 2_000 && world.caughtUp)).toBe(true);
  world.kernel.kill(world.processors[0]!.process);
  world.factory = countingMachineFactory(SOURCE, "v1", takes);
  world.feed(20, 10_000);
}

const deadLetters = (world: World): string[] =>
  world.partitions[0]!.committed.filter(({ topic }) => topic === DEAD).map(({ value }) =>
    Buffer.from(value!).toString(),
  );

test("what was refused stays refused: the next owner, which would take it, reads so from progress", async () => {
  const world = worldThat(false);
  await takenOver(world, true);
  expect(world.table.manifests.get(TASK)?.covers ?? null).toBeNull();
  expect(await world.kernel.run(40_000, () => world.kernel.now > 20_000 && world.caughtUp)).toBe(true);
  expect(world.stopped).toEqual([]);
  expect(deadLetters(world)).toHaveLength(1);
});

test("what was taken is not refused: the task stops with a named error, and recovers without it", async () => {
  const world = worldThat(true);
  await takenOver(world, false);
  expect(await world.kernel.run(40_000, () => world.stopped.length > 0)).toBe(true);
  expect(world.stopped[0]).toMatch(/the model record at offset \d+ was taken .*: not here/);

  const process = world.kernel.process("recover");
  const parts = {
    task: TASK,
    partition: 0,
    factory: world.factory,
    ports: world.ports(process, 0),
    runtime: world.runtime(process),
    observer: quietObserver(createLogger("test", "silent")),
  };
  const { problem, choices } = await world.until(diagnose(parts, world.partitions[0]!.lastProgress()));
  expect(problem?.code).toBe("model-refused");
  expect(choices).toEqual(["try-again", "accept-new-code", "rebuild"]);
  const open = (): ReturnType<typeof world.ports>["output"] => world.ports(process, 0).output;
  await world.until(recover(parts, "accept-new-code", open, "2026-01-01T00:00:00Z"));
  expect(await world.kernel.run(world.kernel.now + 60_000, () => world.caughtUp && world.stopped.length === 0)).toBe(
    true,
  );
  expect(deadLetters(world)).toEqual([]);
});
