import { existsSync, mkdirSync, renameSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { MillraceError } from "../domain/errors.ts";

/** Free space that a start needs for the servers' journals and logs, and for some data. */
const NEEDED_BYTES = 500 * 1024 * 1024;

/** The folders of one `npm start`. */
export interface Home {
  readonly folder: string;
  /** `--fresh` deletes it. */
  readonly data: string;
  /** Empty at each start. The logs of the start before are in `logs.previous`. */
  readonly logs: string;
}

/**
 * Creates the folders and checks that they are writable. No process of an earlier start may be running.
 *
 * @throws MillraceError `data-folder-broken` when a folder cannot be used, or the disk is nearly full.
 */
export function openHome(folder: string, deleteData: boolean): Home {
  const home = { folder, data: join(folder, "data"), logs: join(folder, "logs") };
  try {
    if (deleteData) rmSync(home.data, { recursive: true, force: true });
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
      `the folder ${folder} cannot be used (${(cause as Error).message}). ` +
        "Give this user access to it, free some disk space, or choose another folder with --home DIR.",
      { cause },
    );
  }
  const free = freeBytes(folder);
  if (free < NEEDED_BYTES) {
    throw new MillraceError(
      "data-folder-broken",
      `the disk of ${folder} has ${megabytes(free)} MB free, but Millrace needs ${megabytes(NEEDED_BYTES)} MB. ` +
        "Free some space (npm start -- --fresh deletes the data of earlier starts), " +
        "or choose a folder on another disk with --home DIR.",
    );
  }
  return home;
}

/** Bytes that this user may still write to the folder's disk. */
export function freeBytes(folder: string): number {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
}

/** Whole megabytes, rounded down. */
export function megabytes(bytes: number): number {
  return Math.floor(bytes / (1024 * 1024));
}
