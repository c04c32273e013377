import { MillraceError } from "../../domain/errors.ts";
import type { Manifest, Progress } from "./ports.ts";
import { SNAPSHOT_LAYOUT } from "./segments.ts";

/** Where a task begins: restore at `from`, and catch up to `committed` if there is one. */
export interface StartingPoint {
  /** S: offset of the restored state, or of the empty one. */
  readonly from: number;
  /** Where the task's state began, carried on in its progress. */
  readonly origin: number;
  /** C: what the task's last progress record says; null on the very first start. */
  readonly committed: Progress | null;
}

/**
 * Steps 2 to 4: decides where a task begins from its last progress (C), its manifest (S) and the bounds of the log.
 *
 * @throws MillraceError `progress-missing` (S without C), `snapshot-ahead` (S > C), `input-lost` (the log starts after
 *   S or ends before C), `state-layout-unknown`.
 */
export function startingPoint(
  task: string,
  progress: Progress | null,
  manifest: Manifest | null,
  log: { readonly earliest: number; readonly latest: number },
): StartingPoint {
  if (manifest && manifest.layout !== SNAPSHOT_LAYOUT)
    throw new MillraceError(
      "state-layout-unknown",
      `${task}: the snapshot has layout ${manifest.layout}, this version reads ${SNAPSHOT_LAYOUT}; ${remedy(task)}`,
    );
  const covers = manifest?.covers ?? null;
  if (!progress && covers)
    throw new MillraceError(
      "progress-missing",
      `${task}: a snapshot covers offsets below ${covers.nextOffset}, but there is no progress record; ${remedy(task)}`,
    );
  if (!progress) return { from: log.earliest, origin: log.earliest, committed: null };
  if (covers && covers.nextOffset > progress.nextOffset)
    throw new MillraceError(
      "snapshot-ahead",
      `${task}: the snapshot covers offsets below ${covers.nextOffset}, but only those below ${progress.nextOffset} were committed; ${remedy(task)}`,
    );
  const from = covers ? covers.nextOffset : progress.origin;
  if (log.earliest > from)
    throw new MillraceError(
      "input-lost",
      `${task}: the log starts at ${log.earliest}, but the task needs offset ${from}: records were deleted before they were processed; ${remedy(task)}`,
    );
  if (log.latest < progress.nextOffset)
    throw new MillraceError(
      "input-lost",
      `${task}: the log ends at ${log.latest}, but offsets below ${progress.nextOffset} were processed: it was truncated or created anew; ${remedy(task)}`,
    );
  return { from, origin: (covers ?? progress).origin, committed: progress };
}

/** Step 4: the chain at C must come out as it was committed. @throws MillraceError `replay-diverged` */
export function checkCaughtUp(
  task: string,
  committed: Pick<Progress, "nextOffset" | "chain" | "fingerprint">,
  reached: { readonly nextOffset: number; readonly chain: string; readonly fingerprint: string },
): void {
  if (reached.nextOffset === committed.nextOffset && reached.chain === committed.chain) return;
  const code =
    reached.fingerprint === committed.fingerprint
      ? "the fingerprint is the same, so state, log or determinism is broken"
      : `committed by ${committed.fingerprint}, this is ${reached.fingerprint}: other code, settings or model`;
  throw new MillraceError(
    "replay-diverged",
    `${task}: catching up reached offset ${reached.nextOffset} with chain ${reached.chain}, committed were ${committed.nextOffset} and ${committed.chain} (${code}); ${remedy(task)}`,
  );
}

function remedy(task: string): string {
  return `see \`npm run recover -- --task ${task}\``;
}
