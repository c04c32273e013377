import { setTimeout as delay } from "node:timers/promises";
import type { CloudWatchLogsClient } from "@aws-sdk/client-cloudwatch-logs";
import type { ECSClient } from "@aws-sdk/client-ecs";
import { MINUTE, SECOND, type Milliseconds } from "../../domain/time.ts";
import {
  describeTask,
  exitCodeOf,
  failed,
  startTask,
  stopTask,
  type OpsCommand,
  type StartedTask,
} from "./ops-task.ts";
import { TaskLog } from "./task-log.ts";

/** How long a task may take until its program runs: Fargate fetches the image first. */
const START_LIMIT = 10 * MINUTE;
/** How long ECS may not say how the task is. A task that was just started is not known everywhere at once. */
const SILENCE_LIMIT = MINUTE;
/** How long a task may take to stop: its program has two minutes, and ECS cleans up. */
const STOP_LIMIT = 5 * MINUTE;
/** A stopped task's log is at its end when so many reads in a row found nothing: lines come some seconds later. */
const QUIET_READS = 3;

export interface OpsRun extends OpsCommand {
  readonly ecs: ECSClient;
  readonly logs: CloudWatchLogsClient;
  /** How long the program may run. */
  readonly limitMs: Milliseconds;
  /** Takes lines of the task's output. */
  readonly print: (lines: string) => Promise<void>;
  /** Takes sentences about the task itself. */
  readonly say: (sentence: string) => void;
  /** Aborted when the caller wants it to end: the task is stopped. */
  readonly signal: AbortSignal;
  /** Between two looks. @default 2 s */
  readonly pauseMs?: Milliseconds;
}

/**
 * Runs a command as a task, hands over its output as it comes, and waits for its end.
 *
 * @returns The exit code of the command
 * @throws MillraceError `on-aws-failed` when it could not run, was stopped, or took longer than it may
 */
export async function runOnAws(run: OpsRun): Promise<number> {
  const task = await startTask(run.ecs, run);
  run.say(`${run.command} runs as ${task.arn}; its log is ${task.logStream} in ${task.logGroup}`);
  const log = new TaskLog(run.logs, task);
  const exitCode = await untilStopped(run, task, log);
  for (let quiet = 0; quiet < QUIET_READS;) {
    quiet = (await log.read(run.print)) > 0 ? 0 : quiet + 1;
    if (quiet < QUIET_READS) await delay(pauseOf(run));
  }
  return exitCode();
}

const pauseOf = ({ pauseMs = 2 * SECOND }: OpsRun): Milliseconds => pauseMs;

/** Gives a function that says how the task ended: its log is printed before. */
async function untilStopped(run: OpsRun, task: StartedTask, log: TaskLog): Promise<() => number> {
  let runsSince: number | null = null;
  let stopping: { readonly why: string; readonly since: number } | null = null;
  const begun = Date.now();
  let heardAt = begun;
  for (;;) {
    const found = await describeTask(run.ecs, task).catch((error: unknown) => {
      if (Date.now() - heardAt <= SILENCE_LIMIT) return null;
      throw failed(
        `${(error as Error).message}, for ${SILENCE_LIMIT / SECOND} s; the command may still run: ` +
          `aws ecs stop-task --cluster ${task.cluster} --task ${task.arn} stops it`,
        error,
      );
    });
    if (found === null) {
      await delay(pauseOf(run));
      continue;
    }
    heardAt = Date.now();
    await log.read(run.print);
    if (found.lastStatus === "STOPPED") {
      const why = stopping?.why;
      return () => {
        if (why === undefined) return exitCodeOf(found);
        throw failed(`the task was stopped: ${why}`);
      };
    }
    if (found.lastStatus === "RUNNING") runsSince ??= Date.now();
    if (stopping === null) {
      const why = whyStop(run, begun, runsSince);
      if (why !== null) {
        run.say(`stopping the task: ${why}`);
        await stopTask(run.ecs, task, why);
        stopping = { why, since: Date.now() };
      }
    } else if (Date.now() - stopping.since > STOP_LIMIT)
      throw failed(`${stopping.why}, and ECS has not stopped ${task.arn} since: look after it in the console`);
    await delay(pauseOf(run), undefined, stopping === null ? { signal: run.signal } : {}).catch(() => undefined);
  }
}

/** Why the task has to end before its program does; null: it does not. */
function whyStop({ signal, limitMs }: OpsRun, begun: number, runsSince: number | null): string | null {
  if (signal.aborted) return "npm run on-aws was interrupted";
  if (runsSince === null)
    return Date.now() - begun > START_LIMIT ? `it did not run within ${START_LIMIT / MINUTE} minutes` : null;
  if (Date.now() - runsSince <= limitMs) return null;
  return `the command ran longer than ${limitMs / MINUTE} minutes; --minutes allows more`;
}
