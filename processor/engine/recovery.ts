import { MillraceError } from "../../domain/errors.ts";
import {
  failureId,
  StepFailed,
  type MachineFactory,
  type MachineOrigin,
  type StateMachine,
} from "../runtime/machine.ts";
import { catchUp } from "./catch-up.ts";
import type { EngineObserver, LogBounds, Manifest, Progress, Runtime, TaskPorts } from "./ports.ts";
import { choicesFor, recoveryPlan, type RecoveryChoice } from "./recovery-choices.ts";
import { Snapshots } from "./snapshots.ts";
import { checkCaughtUp, startingPoint } from "./starting-point.ts";

/** What is known of a task, and what is wrong with it. */
export interface Diagnosis {
  readonly task: string;
  readonly progress: Progress | null;
  readonly manifest: Manifest | null;
  readonly log: LogBounds;
  /** The error that stops the task, or null. */
  readonly problem: MillraceError | null;
  /** What helps with the problem, the choice that loses least first. */
  readonly choices: readonly RecoveryChoice[];
}

/** A task that is looked at or recovered, and what that needs. */
export interface RecoveryParts {
  readonly task: string;
  readonly partition: number;
  readonly factory: MachineFactory;
  readonly ports: TaskPorts;
  readonly runtime: Runtime;
  readonly observer: EngineObserver;
}

/**
 * Finds the error that would stop a task. Decides steps 3 and 4 on what it reads; neither fences nor writes anything.
 *
 * @param progress The task's last progress, read by the caller without a claim.
 */
export async function diagnose(parts: RecoveryParts, progress: Progress | null): Promise<Diagnosis> {
  const { task, ports } = parts;
  const log = await ports.input.bounds();
  let manifest: Manifest | null = null;
  let problem: MillraceError | null = null;
  try {
    manifest = await ports.snapshots.readManifest(task);
    startingPoint(task, progress, manifest, log);
    if (progress && manifest) await tryCatchUp(parts, progress, manifest);
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error;
    problem = error;
  }
  return { task, progress, manifest, log, problem, choices: problem ? (choicesFor[problem.code] ?? []) : [] };
}

/** Catches up as the task would. @throws MillraceError what would stop it there */
async function tryCatchUp(parts: RecoveryParts, progress: Progress, manifest: Manifest): Promise<void> {
  const { task, ports, factory, runtime, observer } = parts;
  const { covers } = manifest;
  const snapshots = Snapshots.of(ports.snapshots, task, runtime, observer, manifest);
  const { machine, nextOffset } = await build(parts, snapshots, {
    covers,
    from: covers?.nextOffset ?? progress.origin,
    until: progress.nextOffset,
    failed: progress.failed,
  });
  checkCaughtUp(task, progress, { nextOffset, chain: machine.chain, fingerprint: factory.fingerprint });
}

/**
 * Carries out a choice. Fences first: whoever runs the task can commit nothing more. Builds the state, commits a
 * progress record that says so, then writes a snapshot of the whole state. A task whose recovery dies in between stops
 * with a named error as before.
 *
 * @returns The progress from which the task continues.
 * @throws MillraceError `arguments-invalid` when the choice does not fit the task; what the ports throw
 */
export async function recover(parts: RecoveryParts, choice: RecoveryChoice): Promise<Progress> {
  const { task, ports, factory, runtime, observer } = parts;
  await ports.output.fence();
  const committed = await ports.output.claim(runtime.token());
  const snapshots = await Snapshots.claim(ports.snapshots, task, runtime, observer);
  const log = await ports.input.bounds();
  const { keep, from, until } = recoveryPlan(choice, task, committed, snapshots.manifest, log);
  const covers = keep ? snapshots.manifest.covers : null;
  const { machine } = await build(parts, snapshots, { covers, from, until, failed: committed?.failed ?? [] });
  const progress: Progress = {
    nextOffset: until,
    origin: covers?.origin ?? from,
    fingerprint: factory.fingerprint,
    chain: machine.chain,
    failed: [],
  };
  await ports.output.commit(progress, []);
  if (!keep && until === from) await snapshots.forget();
  else await snapshots.replace(machine, progress);
  return progress;
}

interface BuildPlan {
  /** What the snapshot covers, to begin with its state; null to begin with an empty one. */
  readonly covers: Manifest["covers"];
  readonly from: number;
  readonly until: number;
  /** Records that are known to fail. */
  readonly failed: Progress["failed"];
}

/**
 * Builds a machine and brings it from `from` to `until` with outputs dropped. Begins again after each record on which
 * the pipeline's code throws.
 */
async function build(
  { partition, factory, ports: { input } }: RecoveryParts,
  snapshots: Snapshots,
  { covers, from, until, failed }: BuildPlan,
): Promise<{ machine: StateMachine; nextOffset: number }> {
  const failures = new Map(failed.map((failure) => [failureId(failure), failure]));
  const restored: MachineOrigin["restored"] = covers && {
    nextOffset: from,
    chain: covers.chain,
    entries: await snapshots.load(),
  };
  for (;;) {
    const machine = await factory.create({ partition, restored, failures });
    try {
      return { machine, nextOffset: await catchUp(machine, input, { from, until }) };
    } catch (error) {
      if (!(error instanceof StepFailed) || failures.has(failureId(error))) throw error;
      const { offset, key, message } = error;
      failures.set(failureId(error), { offset, key, message });
    }
  }
}
