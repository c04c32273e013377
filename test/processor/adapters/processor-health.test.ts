import { expect, test } from "@jest/globals";
import { MillraceError } from "../../../domain/errors.ts";
import { processorHealth } from "../../../processor/adapters/processor-health.ts";
import type { TaskStatus } from "../../../processor/engine/processor.ts";

const NOW = 1_000_000;
const runs = (partition: number): TaskStatus => ({
  task: `sensor/imu-data-all/${partition}`,
  partition,
  phase: "running",
  stopped: null,
  failing: null,
  hold: null,
});
const stopped = (partition: number): TaskStatus => ({
  ...runs(partition),
  phase: "ended",
  stopped: new MillraceError("output-refused", "MESSAGE_TOO_LARGE"),
});
const failing = (partition: number, since: number, last: number, phase: TaskStatus["phase"]): TaskStatus => ({
  ...runs(partition),
  phase,
  failing: { sinceMs: NOW - since, lastMs: NOW - last, error: new Error("ECONNREFUSED") },
});
const status = (...tasks: TaskStatus[]): string => processorHealth(true, tasks, NOW).status;

test("is ok when all tasks run, and without a partition", () => {
  expect(status(runs(0), runs(1))).toBe("ok");
  expect(status()).toBe("ok");
});

test("is degraded, with the task and the error, while one of several partitions has stopped", () => {
  const { status, components } = processorHealth(true, [runs(0), stopped(1)], NOW);
  expect(status).toBe("degraded");
  expect(components["sensor/imu-data-all/1"]).toEqual({
    status: "down",
    detail: "output-refused: MESSAGE_TOO_LARGE",
  });
});

test("names a task that begins again for a minute without a commit, also while its newest life runs", () => {
  expect(status(runs(0), failing(1, 59_999, 100, "running"))).toBe("ok");
  for (const phase of ["running", "waiting", "restoring"] as const) {
    const { status, components } = processorHealth(true, [runs(0), failing(1, 60_000, 100, phase)], NOW);
    expect(status).toBe("degraded");
    expect(components["sensor/imu-data-all/1"]?.detail).toContain("ECONNREFUSED");
  }
});

test("a task that has run for a minute since it failed, with nothing to commit, is well", () => {
  expect(status(failing(0, 300_000, 60_000, "running"))).toBe("ok");
});

test("is degraded, with command and time, while a command holds a task", () => {
  const held: TaskStatus = { ...runs(0), phase: "held", hold: { command: "recover", since: "2026-01-01T00:00:00Z" } };
  const { status, components } = processorHealth(true, [held], NOW);
  expect(status).toBe("degraded");
  expect(Object.values(components)[0]?.detail).toMatch(/`recover` since 2026-01-01T00:00:00Z.*give it again/);
});

test("is down when no task can run, and before the group has made an assignment", () => {
  expect(status(stopped(0), failing(1, 60_000, 100, "waiting"))).toBe("down");
  expect(processorHealth(false, [], NOW).status).toBe("down");
});
