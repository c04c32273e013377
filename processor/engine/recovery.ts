import { MillraceError, type ErrorCode } from "../../domain/errors.ts";
import { stepAll, StepFailed, type MachineFactory, type StateMachine } from "../runtime/machine.ts";
import type { EngineObserver, Manifest, Progress, Runtime, TaskPorts } from "./ports.ts";
import { Snapshots } from "./snapshots.ts";
import { checkCaughtUp, startingPoint } from "./starting-point.ts";

/** What somebody on call can do about a task that stopped by name. */
export const recoveryChoices = {
  "accept-new-code":
    "Load the snapshot, run again up to what was committed with the code and settings of now, outputs suppressed, and go on from there. State is that of the new code; outputs already written stay as they are.",
  rebuild:
    "Forget the snapshot. Run the whole log again from its start with outputs suppressed up to what was committed, and go on from there. Exact if the log still has everything that state depends on.",
  "skip-lost":
    "Accept that the deleted records are lost: keep the snapshot's state and go on at the log's first record, outputs suppressed up to what was committed.",
  "trust-snapshot":
    "Take the snapshot for what was committed and go on from there. What was written between it and the crash comes again, with ids already seen.",
  "start-over":
    "Forget snapshot and progress and begin at the log's first record with an empty state. Outputs come again, with ids already seen.",
} as const;
export type RecoveryChoice = keyof typeof recoveryChoices;

/** Which choices make sense for an error, the most careful first. */
const choicesFor: Partial<Record<ErrorCode, readonly RecoveryChoice[]>> = {
  "replay-diverged": ["accept-new-code", "rebuild"],
  "input-lost": ["skip-lost", "start-over"],
  "progress-missing": ["trust-snapshot", "start-over"],
  "snapshot-ahead": ["rebuild", "trust-snapshot"],
  "snapshot-corrupt": ["rebuild", "start-over"],
  "state-layout-unknown": ["rebuild", "start-over"],
};

const READ_WAIT_MS = 500;

/** What is known of a task, and what is wrong with it. */
export interface Diagnosis {
  readonly task: string;
  readonly progress: Progress | null;
  readonly manifest: Manifest | null;
  readonly log: { readonly earliest: number; readonly latest: number };
  readonly problem: MillraceError | null;
  readonly choices: readonly RecoveryChoice[];
}

interface RecoveryParts {
  readonly task: string;
  readonly partition: number;
  readonly factory: MachineFactory;
  readonly ports: TaskPorts;
  readonly runtime: Runtime;
  readonly observer: EngineObserver;
}

/** Finds what would stop a task, without fencing or writing anything: steps 3 and 4 on what is read. */
export async function diagnose(parts: RecoveryParts, progress: Progress | null): Promise<Diagnosis> {
  const { task, ports, runtime, observer } = parts;
  const log = await ports.input.bounds();
  let manifest: Manifest | null = null;
  let problem: MillraceError | null = null;
  try {
    manifest = await ports.snapshots.readManifest(task);
    startingPoint(task, progress, manifest, log);
    if (progress && manifest) {
      const from = manifest.covers?.nextOffset ?? progress.origin;
      const machine = await build(
        parts,
        Snapshots.of(ports.snapshots, task, runtime, observer, manifest),
        manifest.covers,
        from,
        progress.nextOffset,
        new Map(progress.failed),
      );
      checkCaughtUp(task, progress, {
        nextOffset: Math.max(machine.nextOffset, from),
        chain: machine.chain,
        fingerprint: parts.factory.fingerprint,
      });
    }
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error;
    problem = error;
  }
  return { task, progress, manifest, log, problem, choices: problem ? (choicesFor[problem.code] ?? []) : [] };
}

/**
 * Carries out a choice, fenced: whoever runs the task can commit no more. Builds the state, commits a progress record
 * that says so, then writes a snapshot of all of it; dying in between leaves a task that stops by name as before.
 *
 * @returns The progress from which the task goes on.
 */
export async function recover(parts: RecoveryParts, choice: RecoveryChoice): Promise<Progress> {
  const { task, ports, factory, runtime, observer } = parts;
  await ports.output.fence();
  const committed = await ports.output.claim(runtime.token());
  const snapshots = await Snapshots.claim(ports.snapshots, task, runtime, observer);
  const log = await ports.input.bounds();
  const plan = recoveryPlan(choice, task, committed, snapshots.manifest, log);
  const machine = await build(
    parts,
    snapshots,
    plan.keep ? snapshots.manifest.covers : null,
    plan.from,
    plan.until,
    new Map(committed?.failed),
  );
  const progress: Progress = {
    nextOffset: plan.until,
    origin: plan.keep ? (snapshots.manifest.covers?.origin ?? plan.from) : plan.from,
    fingerprint: factory.fingerprint,
    chain: machine.chain,
    failed: [],
  };
  await ports.output.commit(progress, []);
  if (!plan.keep && plan.until === plan.from) await snapshots.forget();
  else await snapshots.replace(machine, progress);
  return progress;
}

interface RecoveryPlan {
  /** Whether the snapshot's state is kept. */
  readonly keep: boolean;
  /** Offset of the first record to run. */
  readonly from: number;
  /** Records below are run with outputs suppressed. */
  readonly until: number;
}

/** @throws MillraceError `arguments-invalid` when the choice has nothing to stand on. */
export function recoveryPlan(
  choice: RecoveryChoice,
  task: string,
  committed: Progress | null,
  manifest: Manifest,
  log: { readonly earliest: number; readonly latest: number },
): RecoveryPlan {
  const covers = manifest.covers;
  const need = <T>(value: T | null, what: string): T => {
    if (value === null)
      throw new MillraceError("arguments-invalid", `${task}: --choice ${choice} needs ${what}, and there is none`);
    return value;
  };
  switch (choice) {
    case "accept-new-code": {
      const { nextOffset } = need(committed, "a progress record");
      const from = covers?.nextOffset ?? committed!.origin;
      if (from > nextOffset || from < log.earliest || nextOffset > log.latest)
        throw new MillraceError(
          "arguments-invalid",
          `${task}: --choice ${choice} needs a snapshot (${from}) that is not ahead of what was committed (${nextOffset}), and a log that has all between; it has ${log.earliest} to ${log.latest}`,
        );
      return { keep: true, from, until: nextOffset };
    }
    case "rebuild": {
      const { nextOffset } = need(committed, "a progress record");
      if (nextOffset > log.latest)
        throw new MillraceError(
          "arguments-invalid",
          `${task}: --choice ${choice} needs a log up to ${nextOffset}; it ends at ${log.latest}`,
        );
      return { keep: false, from: log.earliest, until: Math.max(nextOffset, log.earliest) };
    }
    case "skip-lost": {
      const { nextOffset } = need(committed, "a progress record");
      if (nextOffset > log.latest)
        throw new MillraceError(
          "arguments-invalid",
          `${task}: the log ends at ${log.latest} and offsets below ${nextOffset} were processed: it is another log, choose start-over`,
        );
      const from = Math.max(covers?.nextOffset ?? 0, log.earliest);
      return { keep: true, from, until: Math.max(nextOffset, from) };
    }
    case "trust-snapshot": {
      const { nextOffset } = need(covers, "a snapshot");
      if (nextOffset < log.earliest || nextOffset > log.latest)
        throw new MillraceError(
          "arguments-invalid",
          `${task}: --choice ${choice} needs a log that has offset ${nextOffset}; it has ${log.earliest} to ${log.latest}`,
        );
      return { keep: true, from: nextOffset, until: nextOffset };
    }
    case "start-over":
      return { keep: false, from: log.earliest, until: log.earliest };
  }
}

/** A machine with a snapshot's state (or an empty one), brought from `from` to `until` with outputs dropped. */
async function build(
  { partition, factory, ports: { input } }: RecoveryParts,
  snapshots: Snapshots,
  covers: Manifest["covers"],
  from: number,
  until: number,
  failed: Map<number, string>,
): Promise<StateMachine> {
  const entries = covers ? await snapshots.load() : [];
  for (;;) {
    const machine = await factory.create({
      partition,
      restored: covers ? { nextOffset: from, chain: covers.chain, entries } : null,
      failedOffsets: failed,
    });
    try {
      input.seek(from);
      while (Math.max(machine.nextOffset, from) < until) {
        const records = await input.read(READ_WAIT_MS);
        const wanted = records.filter(({ offset }) => offset < until);
        await stepAll(machine, wanted);
        if (wanted.length < records.length) break;
      }
      return machine;
    } catch (error) {
      if (!(error instanceof StepFailed) || failed.has(error.offset)) throw error;
      failed.set(error.offset, error.message);
    }
  }
}
