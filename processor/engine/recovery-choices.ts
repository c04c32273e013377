import { MillraceError, type ErrorCode } from "../../domain/errors.ts";
import type { LogBounds, Manifest, Progress } from "./ports.ts";

/** What somebody on call can do about a task that stopped with a named error, in the words of the command's help. */
export const recoveryChoices = {
  "try-again":
    "What stopped the task is repaired: a permission, a topic, a bound of the broker, or this program. " +
    "Starts the task again as it is. Changes nothing.",
  "accept-new-code":
    "Load the snapshot, run the log again with today's code up to what was committed, and continue " +
    "from there. Nothing is written twice. The state is the new code's; outputs already written stay the old code's.",
  rebuild:
    "Forget the snapshot, run the whole log again from its start up to what was committed, and continue from there. " +
    "Nothing is written twice. Exact if the log still has everything that the state depends on.",
  "skip-lost":
    "Accept that the deleted records are lost. Keep the snapshot's state and continue at the log's first record. " +
    "Nothing is written twice.",
  "trust-snapshot":
    "Take the snapshot for what was committed, and continue from there. " +
    "Outputs after the snapshot are written again, with the same ids.",
  "start-over":
    "Forget snapshot and progress, and begin at the log's first record with an empty state. " +
    "All outputs are written again, with the same ids.",
} as const;
export type RecoveryChoice = keyof typeof recoveryChoices;

/** The choices that help with an error, the one that loses least first. */
export const choicesFor: Partial<Record<ErrorCode, readonly RecoveryChoice[]>> = {
  "output-refused": ["try-again"],
  "model-refused": ["try-again", "accept-new-code", "rebuild"],
  "step-kills-process": ["try-again"],
  "replay-diverged": ["accept-new-code", "rebuild"],
  "committed-by-other-code": ["accept-new-code", "rebuild"],
  "input-lost": ["skip-lost", "start-over"],
  "progress-missing": ["trust-snapshot", "start-over"],
  "snapshot-ahead": ["rebuild", "trust-snapshot"],
  "snapshot-corrupt": ["rebuild", "start-over"],
  "settings-unknown": ["accept-new-code", "start-over"],
  "state-layout-unknown": ["rebuild", "start-over"],
};

/** How a choice builds the state. */
export interface RecoveryPlan {
  /** Whether the snapshot's state is kept. */
  readonly keep: boolean;
  /** Offset of the first record to run. */
  readonly from: number;
  /** Records below it are run with their outputs dropped. */
  readonly until: number;
}

/**
 * What a choice means for a task as it is.
 *
 * @throws MillraceError `arguments-invalid` when the choice needs something that is not there
 */
export function recoveryPlan(
  choice: Exclude<RecoveryChoice, "try-again">,
  task: string,
  committed: Progress | null,
  { covers }: Manifest,
  log: LogBounds,
): RecoveryPlan {
  const refuse = (why: string): never => {
    throw new MillraceError("arguments-invalid", `${task}: --choice ${choice} needs ${why}`);
  };
  const logHas = `the log starts at ${log.earliest} and ends at ${log.latest}`;
  switch (choice) {
    case "accept-new-code": {
      const { nextOffset, origin } = committed ?? refuse("a progress record, and there is none");
      const from = covers?.nextOffset ?? origin;
      if (from > nextOffset)
        refuse(`a snapshot that is not ahead of what was committed (${nextOffset}); it is at ${from}`);
      if (from < log.earliest || nextOffset > log.latest) refuse(`a log from ${from} to ${nextOffset}; ${logHas}`);
      return { keep: true, from, until: nextOffset };
    }
    case "rebuild": {
      const { nextOffset } = committed ?? refuse("a progress record, and there is none");
      if (nextOffset > log.latest) refuse(`a log up to ${nextOffset}; ${logHas}`);
      return { keep: false, from: log.earliest, until: Math.max(nextOffset, log.earliest) };
    }
    case "skip-lost": {
      const { nextOffset } = committed ?? refuse("a progress record, and there is none");
      if (nextOffset > log.latest)
        refuse(
          `a log up to ${nextOffset}, which was processed; ${logHas}, so it is another log: ` +
            "start the processors with LOG_GENERATION one higher",
        );
      const from = Math.max(covers?.nextOffset ?? 0, log.earliest);
      return { keep: true, from, until: Math.max(nextOffset, from) };
    }
    case "trust-snapshot": {
      const { nextOffset } = covers ?? refuse("a snapshot, and there is none");
      if (nextOffset < log.earliest || nextOffset > log.latest) refuse(`a log with offset ${nextOffset}; ${logHas}`);
      return { keep: true, from: nextOffset, until: nextOffset };
    }
    case "start-over":
      if (committed && committed.nextOffset > log.latest)
        refuse(
          `the log that was processed up to ${committed.nextOffset}; ${logHas}, so it is another log, whose outputs ` +
            "would have ids that were given before: start the processors with LOG_GENERATION one higher",
        );
      return { keep: false, from: log.earliest, until: log.earliest };
  }
}
