import { expect, test } from "@jest/globals";
import type { Membership, MembershipListener } from "../../../processor/engine/ports.ts";
import { Processor } from "../../../processor/engine/processor.ts";
import { defaultTaskOptions } from "../../../processor/engine/task-options.ts";
import { append, emptyWorld, runUntil } from "./one-task.ts";

/** A group that does what the test says. */
class ScriptedGroup implements Membership {
  listener: MembershipListener | null = null;
  confirmed = true;
  joins = 0;

  join(listener: MembershipListener): Promise<void> {
    this.joins++;
    this.listener = listener;
    return Promise.resolve();
  }

  leave(): Promise<void> {
    return Promise.resolve();
  }

  confirm(): Promise<boolean> {
    return Promise.resolve(this.confirmed);
  }
}

function start(confirm: boolean) {
  const world = emptyWorld();
  const group = new ScriptedGroup();
  group.confirmed = confirm;
  const process = world.kernel.process("p");
  let fences = 0;
  const ignore = (): void => undefined;
  const processor = new Processor(
    group,
    {
      factory: world.factory,
      options: { ...defaultTaskOptions, commitIntervalMs: 3_000 },
      runtime: world.runtime(process),
      observer: {
        log: ignore,
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
        return ports;
      },
    },
    (error) => {
      throw error;
    },
  );
  return { world, group, processor, fences: () => fences };
}

test("a partition that is given and taken away again during a slow hand-over is not fenced again", async () => {
  const { world, group, processor, fences } = start(true);
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
  const { world, group, processor, fences } = start(true);
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
  expect(group.joins).toBe(1);
});
