import { mkdtemp, rm, statfs } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { MillraceError } from "../../domain/errors.ts";
import type { TableName } from "../../domain/tables.ts";
import { type LakeFile, s3Place, type S3Place } from "./lake-place.ts";

/** Objects that are fetched at once. */
const AT_ONCE = 8;
/** What is left of the disk for what the command itself writes: sorting, a run's folder. */
const LEFT_SHARE = 0.5;
const MB = 1_000_000;

/** Which tables of which lake a command reads. */
export interface LakeSource {
  /** A folder, or the prefix of the tables in S3: `s3://bucket/tables`. */
  readonly lake: string;
  readonly tables: readonly TableName[];
  readonly region: string;
  readonly report: (sentence: string) => void;
}

/**
 * Lends the folder of a lake. One in S3 is copied, file by file, to a folder that is deleted at the end: nothing can
 * fetch DuckDB's own reader of S3 where there is no internet.
 *
 * @throws MillraceError `arguments-invalid` when the tables take more than half of the disk's free space; whatever S3
 *   throws
 */
export async function withLake<T>(source: LakeSource, use: (dir: string) => Promise<T>): Promise<T> {
  const place = s3Place(source.lake, source.region);
  if (!place) return use(source.lake);
  const dir = await mkdtemp(join(tmpdir(), "millrace-lake-"));
  try {
    await copyTables(place, source, dir);
    return await use(dir);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

async function copyTables(place: S3Place, source: LakeSource, dir: string): Promise<void> {
  const files: LakeFile[] = [];
  for (const table of source.tables) files.push(...(await place.files(table)));
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  const { bavail, bsize } = await statfs(dir);
  const free = bavail * bsize;
  if (bytes > free * LEFT_SHARE)
    throw new MillraceError(
      "arguments-invalid",
      `${source.tables.join(", ")} of ${source.lake} have ${inMB(bytes)} MB, and ${dirname(dir)} has ` +
        `${inMB(free)} MB, of which half may be used: ` +
        "run the command where there is more, with a copy of the bucket",
    );
  source.report(`copying ${files.length} files, ${inMB(bytes)} MB, of ${place.url}`);
  const waiting = files.values();
  const fetchNext = async (): Promise<void> => {
    for (const file of waiting) await place.fetch(file, join(dir, file.path));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, fetchNext));
}

function inMB(bytes: number): string {
  return (bytes / MB).toFixed(1);
}
