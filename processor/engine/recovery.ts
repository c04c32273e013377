import { controlVersions } from "../../domain/controls.ts";
import { MillraceError } from "../../domain/errors.ts";
import {
  failureId,
  StepFailed,
  type MachineFactory,
  type MachineOrigin,
  type StateMachine,
} from "../runtime/machine.ts";
import { catchUp } from "./catch-up.ts";
import { failureClass } from "./failure-classes.ts";
import { modelLost } from "./needs-recovery.ts";
import {
  commandToken,
  type EngineObserver,
  type Hold,
  type LogBounds,
  type Manifest,
  type Progress,
  type Runtime,
  type TaskOutput,
  type TaskPorts,
} from "./ports.ts";
import { choicesFor, recoveryPlan, type RecoveryChoice } from "./recovery-choices.ts";
import { Snapshots } from "./snapshots.ts";
import { beforeOf, checkCaughtUp, startingPoint } from "./starting-point.ts";

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
  readonly ports: Omit<TaskPorts, "output">;
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
async function tryCatchUp(
  parts: RecoveryParts,
  progress: Progress,
  manifest: Manifest,
): Promise<{ readonly machine: StateMachine; readonly snapshots: Snapshots }> {
  const { task, ports, factory, runtime, observer } = parts;
  const { covers } = manifest;
  const snapshots = Snapshots.of(ports.snapshots, task, runtime, observer, manifest);
  const { machine, nextOffset } = await build(parts, snapshots, {
    covers,
    from: covers?.nextOffset ?? progress.origin,
    until: progress.nextOffset,
    before: beforeOf(progress),
    failed: progress.failed,
    refused: (failure) => {
      throw modelLost(task, failure);
    },
  });
  checkCaughtUp(task, progress, { nextOffset, chain: machine.chain, fingerprint: factory.fingerprint });
  return { machine, snapshots };
}

/** What catching a task up came to: nothing was to be done, other code has to do it, or a snapshot was written. */
export type CatchUpResult = "nothing-committed" | "already-covered" | "other-code" | "caught-up";

/**
 * Brings a task's snapshot to what it has committed last, if this code committed it: other code then begins there, and
 * steps none of the records before. Neither fences nor commits. The manifest is replaced if it is still the one that
 * was read, so this may die at any place, and be done again.
 *
 * @param readProgress Reads the task's last progress, without a claim.
 * @throws MillraceError what would stop the task; `outcome-unknown` when somebody else has written the manifest since
 */
export async function catchUpTask(
  parts: RecoveryParts,
  readProgress: () => Promise<Progress | null>,
): Promise<CatchUpResult> {
  const { task, ports, factory } = parts;
  const manifest = await ports.snapshots.readManifest(task);
  const progress = await readProgress(); // behind the manifest: it covers no more than this
  if (!manifest || !progress) return "nothing-committed";
  if (manifest.covers?.nextOffset === progress.nextOffset) return "already-covered";
  if (progress.fingerprint !== factory.fingerprint) return "other-code";
  startingPoint(task, progress, manifest, await ports.input.bounds());
  const { machine, snapshots } = await tryCatchUp(parts, progress, manifest);
  await snapshots.replace(machine, progress);
  return "caught-up";
}

/** Attempts at taking a task from an owner that fences back because it has not seen the hold yet. */
const HOLD_ATTEMPTS = 5;

/**
 * Holds a task, so that its owner waits, then fences it and claims its progress for a command.
 *
 * @param open Gives the output of a new owner. All but the one that is returned are discarded.
 * @returns The output that owns the task, and the task's last progress. The caller discards it and takes the hold away.
 * @throws MillraceError `fenced` when another owner fences back again and again; what the ports throw
 */
export async function holdTask(
  hold: Hold,
  open: () => TaskOutput,
  runtime: Pick<Runtime, "token">,
): Promise<{ readonly output: TaskOutput; readonly committed: Progress | null }> {
  for (let attempt = 1; ; attempt++) {
    const output = open();
    try {
      await output.hold(hold);
      await output.fence();
      await output.hold(hold); // after the owner's last progress, so that it finds it at once
      return { output, committed: await output.claim(commandToken(runtime.token())) };
    } catch (error) {
      await output.discard();
      if (failureClass(error) !== "fenced" || attempt === HOLD_ATTEMPTS) throw error;
    }
  }
}

/**
 * Carries out a choice. Holds the task and fences whoever runs it: nobody else can commit. Builds the state, commits a
 * progress record that says so, then writes a snapshot of the whole state. A task whose recovery dies in between stops
 * with a named error as before, or waits for its hold: the command is then given again.
 *
 * @param open Gives the output of a new owner of the task.
 * @param since Now, as ISO 8601, for who looks at the hold.
 * @returns The progress from which the task continues; null for a task that has none.
 * @throws MillraceError `arguments-invalid` when the choice does not fit the task; what the ports throw
 */
export async function recover(
  parts: RecoveryParts,
  choice: RecoveryChoice,
  open: () => TaskOutput,
  since: string,
): Promise<Progress | null> {
  const { output, committed } = await holdTask({ command: "recover", since }, open, parts.runtime);
  try {
    return await carryOut(parts, choice, output, committed);
  } finally {
    await output.hold(null);
    await output.discard();
  }
}

async function carryOut(
  parts: RecoveryParts,
  choice: RecoveryChoice,
  output: TaskOutput,
  committed: Progress | null,
): Promise<Progress | null> {
  const { task, ports, factory, runtime, observer } = parts;
  const snapshots = await Snapshots.claim(ports.snapshots, task, runtime, observer);
  if (choice === "try-again") return committed;
  const log = await ports.input.bounds();
  const { keep, from, until } = recoveryPlan(choice, task, committed, snapshots.manifest, log);
  const covers = keep ? snapshots.manifest.covers : null;
  const before = choice === "start-over" ? undefined : beforeOf(committed);
  const { machine } = await build(parts, snapshots, { covers, from, until, before, failed: committed?.failed ?? [] });
  const progress: Progress = {
    nextOffset: until,
    origin: covers?.origin ?? from,
    fingerprint: factory.fingerprint,
    version: factory.version,
    chain: machine.chain,
    controls: controlVersions,
    ...(before === undefined ? {} : { before }),
    failed: [],
  };
  await output.commit(progress, []);
  if (!keep && until === from) await snapshots.forget();
  else await snapshots.replace(machine, progress);
  return progress;
}

interface BuildPlan {
  /** What the snapshot covers, to begin with its state; null to begin with an empty one. */
  readonly covers: Manifest["covers"];
  readonly from: number;
  readonly until: number;
  /** See `Progress`. */
  readonly before: string | undefined;
  /** Records that are known to fail. */
  readonly failed: Progress["failed"];
  /** See `MachineOrigin.refused`. @default models that are refused now are refused */
  readonly refused?: MachineOrigin["refused"];
}

/**
 * Builds a machine and brings it from `from` to `until` with outputs dropped. Begins again after each record on which
 * the pipeline's code throws.
 */
async function build(
  { partition, factory, ports: { input } }: RecoveryParts,
  snapshots: Snapshots,
  { covers, from, until, before, failed, refused }: BuildPlan,
): Promise<{ machine: StateMachine; nextOffset: number }> {
  const failures = new Map(failed.map((failure) => [failureId(failure), failure]));
  const restored: MachineOrigin["restored"] = covers && {
    nextOffset: from,
    chain: covers.chain,
    entries: await snapshots.load(),
  };
  for (;;) {
    const machine = await factory.create({ partition, restored, failures, before, ...(refused ? { refused } : {}) });
    try {
      return { machine, nextOffset: await catchUp(machine, input, { from, until }) };
    } catch (error) {
      if (!(error instanceof StepFailed) || failures.has(failureId(error))) throw error;
      const { offset, key, message } = error;
      failures.set(failureId(error), { offset, key, message });
    }
  }
}
