import { needsRecovery } from "./needs-recovery.ts";
import type { LogBounds, Manifest, Progress } from "./ports.ts";
import { SNAPSHOT_LAYOUT } from "./segments.ts";

/** Where a task begins: it restores the state at `from`, and catches up to `committed` if there is one. */
export interface StartingPoint {
  /** S: offset of the restored state, or of the empty one. */
  readonly from: number;
  /** Offset at which the task's state began. Every progress record of the task carries it. */
  readonly origin: number;
  /** See `Progress`. */
  readonly before?: string | undefined;
  /** C: the task's last progress record. Null on the very first start. */
  readonly committed: Progress | null;
}

/**
 * Steps 2 to 4: decides where a task begins, from its last progress (C), its manifest (S) and the bounds of the log.
 *
 * @throws MillraceError `state-layout-unknown`; `progress-missing` (S without C); `snapshot-ahead` (S > C);
 *   `input-lost` (the log starts after S, or ends before C)
 */
export function startingPoint(
  task: string,
  progress: Progress | null,
  manifest: Manifest | null,
  log: LogBounds,
): StartingPoint {
  if (manifest && (manifest.layout < 1 || manifest.layout > SNAPSHOT_LAYOUT))
    throw needsRecovery(
      "state-layout-unknown",
      task,
      `the snapshot has layout ${manifest.layout}, this version reads layouts 1 to ${SNAPSHOT_LAYOUT}`,
    );
  const covers = manifest?.covers ?? null;
  if (!progress && covers)
    throw needsRecovery(
      "progress-missing",
      task,
      `a snapshot covers offsets below ${covers.nextOffset}, but there is no progress record`,
    );
  if (!progress) return { from: log.earliest, origin: log.earliest, committed: null };
  if (covers && covers.nextOffset > progress.nextOffset)
    throw needsRecovery(
      "snapshot-ahead",
      task,
      `the snapshot covers offsets below ${covers.nextOffset}, but only those below ${progress.nextOffset} ` +
        "were committed",
    );
  const from = covers ? covers.nextOffset : progress.origin;
  if (log.earliest > from)
    throw needsRecovery(
      "input-lost",
      task,
      `the log starts at ${log.earliest}, but the task needs offset ${from}: ` +
        "records were deleted before they were processed",
    );
  if (log.latest < progress.nextOffset)
    throw needsRecovery(
      "input-lost",
      task,
      `the log ends at ${log.latest}, but offsets below ${progress.nextOffset} were processed: ` +
        "the log was truncated, or it is another one. A log that was lost is not continued under its name: " +
        "start the processors with LOG_GENERATION one higher",
    );
  return { from, origin: (covers ?? progress).origin, before: beforeOf(progress), committed: progress };
}

/** `Progress.before` of a task; a progress record that names no control records is of that time itself. */
export function beforeOf(progress: Progress | null): string | undefined {
  if (progress === null) return undefined;
  return progress.controls ? progress.before : progress.fingerprint;
}

/** What of a task's progress catching up is held against. */
export type Committed = Pick<Progress, "nextOffset" | "chain" | "fingerprint" | "version">;

/**
 * Step 4: holds what catching up reached against what was committed (C).
 *
 * @throws MillraceError `replay-diverged`; `committed-by-other-code` when it was other code that committed
 */
export function checkCaughtUp(
  task: string,
  committed: Committed,
  reached: Pick<Progress, "nextOffset" | "chain" | "fingerprint">,
): void {
  if (reached.nextOffset === committed.nextOffset && reached.chain === committed.chain) return;
  const difference =
    `catching up reached offset ${reached.nextOffset} with chain ${reached.chain}, ` +
    `but offset ${committed.nextOffset} with chain ${committed.chain} was committed`;
  if (reached.fingerprint !== committed.fingerprint)
    throw needsRecovery(
      "committed-by-other-code",
      task,
      `${difference} by ${codeOf(committed)}, which gives other outputs than this code (${reached.fingerprint}). ` +
        "Run `npm run recover -- --catch-up` with the version that committed it: the task then continues by itself",
    );
  throw needsRecovery(
    "replay-diverged",
    task,
    `${difference} by this code (${committed.fingerprint}): ` +
      "the state or the log is damaged, or the code is not deterministic",
  );
}

/** The code that wrote progress or a snapshot, as people know it. */
export function codeOf({ version, fingerprint }: Pick<Progress, "version" | "fingerprint">): string {
  return version === undefined ? `code ${fingerprint}` : `version ${version} (code ${fingerprint})`;
}
