import { existsSync, mkdirSync, renameSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { MillraceError } from "../domain/errors.ts";

/** Room that a start needs: journals and logs of the servers, and some data. */
const NEEDED_BYTES = 500 * 1024 * 1024;

/**
 * The folders of one home: `data` is what `--fresh` forgets, `logs` begin anew with each start (`logs.previous` are
 * those before).
 */
export interface Home {
  readonly folder: string;
  readonly data: string;
  readonly logs: string;
}

/**
 * Makes the folders ready for a start, and tries that they can be written. Nothing of an earlier start may be running.
 *
 * @throws MillraceError `data-folder-broken` when they can't be used, or the disk is nearly full.
 */
export function openHome(folder: string, forgetData: boolean): Home {
  const home = { folder, data: join(folder, "data"), logs: join(folder, "logs") };
  try {
    if (forgetData) rmSync(home.data, { recursive: true, force: true });
    rmSync(`${home.logs}.previous`, { recursive: true, force: true });
    if (existsSync(home.logs)) renameSync(home.logs, `${home.logs}.previous`);
    for (const each of [home.data, home.logs]) {
      mkdirSync(each, { recursive: true });
      const probe = join(each, `.probe-${process.pid}`);
      writeFileSync(probe, "probe");
      rmSync(probe);
    }
  } catch (cause) {
    throw new MillraceError(
      "data-folder-broken",
      `the folder ${folder} cannot be used (${(cause as Error).message}): give it to this user, make room on the disk, or choose another one with --home DIR`,
      { cause },
    );
  }
  const free = freeBytes(folder);
  if (free < NEEDED_BYTES) {
    throw new MillraceError(
      "data-folder-broken",
      `the disk of ${folder} has ${megabytes(free)} MB free, and Millrace needs ${megabytes(NEEDED_BYTES)} MB: free some space (npm start -- --fresh forgets the data of earlier starts), or choose a folder on another disk with --home DIR`,
    );
  }
  return home;
}

export function freeBytes(folder: string): number {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
}

export function megabytes(bytes: number): number {
  return Math.floor(bytes / (1024 * 1024));
}
