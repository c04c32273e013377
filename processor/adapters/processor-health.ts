import type { Health } from "../../adapters/health.ts";
import type { TaskStatus } from "../engine/processor.ts";
import { FAILING_MS } from "../engine/task.ts";

/**
 * Health by the classes of the tasks' failures:
 *
 * - `ok`: all tasks run.
 * - `degraded`: a task waits, has stopped, or fails for a minute without a commit. Its component says why.
 * - `down`: the group has made no assignment yet, or every task has stopped or fails.
 */
export function processorHealth(joined: boolean, tasks: readonly TaskStatus[], nowMs: number): Health {
  const components = Object.fromEntries(tasks.map((status) => [status.task, taskHealth(status, nowMs)]));
  const states = Object.values(components).map(({ status }) => status);
  const canNoneRun = states.length > 0 && states.every((status) => status === "down");
  if (!joined || canNoneRun) return { status: "down", components };
  return { status: states.every((status) => status === "ok") ? "ok" : "degraded", components };
}

function taskHealth({ phase, stopped, failing, hold }: TaskStatus, nowMs: number): Health["components"][string] {
  if (stopped) return { status: "down", detail: `${stopped.code}: ${stopped.message}` };
  if (hold)
    return {
      status: "degraded",
      detail: `held by \`${hold.command}\` since ${hold.since}; if that command has died, give it again`,
    };
  if (failing && isFailing(failing, phase, nowMs)) {
    const { sinceMs, error } = failing;
    const seconds = Math.round((nowMs - sinceMs) / 1_000);
    const reason = error instanceof Error ? error.message : String(error);
    return { status: "down", detail: `starts again and again, for ${seconds} s without a commit: ${reason}` };
  }
  return phase === "running" ? { status: "ok" } : { status: "degraded", detail: phase };
}

/** A task that runs and has nothing to commit is well again when it has not failed for a minute. */
function isFailing(
  { sinceMs, lastMs }: NonNullable<TaskStatus["failing"]>,
  phase: TaskStatus["phase"],
  nowMs: number,
): boolean {
  return nowMs - sinceMs >= FAILING_MS && (phase !== "running" || nowMs - lastMs < FAILING_MS);
}
