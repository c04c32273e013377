import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { DuckDBInstance, type DuckDBConnection } from "@duckdb/node-api";
import { MillraceError } from "../../../domain/errors.ts";
import { tables, type TableName, type TableSpec } from "../../../domain/tables.ts";
import { DAY, HOUR, MINUTE, type EpochMs, type Milliseconds } from "../../../domain/time.ts";
import { mergeSql } from "../../../local/lake/merge.ts";
import { sqlText } from "../../../local/lake/sql.ts";
import type { S3File, S3Place } from "../../adapters/lake-place.ts";

/** An hour that got no file for so long gets no more of those that Firehose buffers, 15 minutes at most. */
const SETTLED_MS: Milliseconds = HOUR;
/**
 * Sources stay for so long beside the file that they are joined in: a query that has listed them reads them. Athena
 * ends one after 30 minutes: https://docs.aws.amazon.com/athena/latest/ug/service-limits.html
 */
const QUERIES_END_MS: Milliseconds = 50 * MINUTE;
/** No merge begins later: the schedule starts the next run after an hour. */
const RUN_LIMIT_MS: Milliseconds = 40 * MINUTE;
/** Files of this size are large enough: Athena wants 128 MB, and Firehose writes no larger ones. */
const LARGE_BYTES = 64 * 2 ** 20;
/** Bytes of files that are joined in one. */
const MERGE_BYTES = 256 * 2 ** 20;
/** Where notes are, below the lake: no table's location. */
const NOTES = "compaction/";

/** Says which files a merged one holds. */
interface Note {
  readonly merged: string;
  readonly sources: readonly { readonly path: string; readonly tag: string }[];
}

/** What a run has done, in files. */
export interface Compacted {
  /** Files that were written, and those that they hold. */
  merged: number;
  sources: number;
  /** Sources of earlier runs that were deleted. */
  deleted: number;
  /** Merged files of earlier runs that were deleted, because a source had been written again. */
  undone: number;
}

interface CompactOptions {
  /** Days that are looked at, that of `now` among them. */
  readonly days: number;
  readonly now: () => EpochMs;
}

/**
 * Joins the small files of each hour of a lake in S3 that gets no more of them.
 *
 * 1. A note says which files a merged file will hold, with their tags.
 * 2. The merged file is written, unless it is there.
 * 3. A run, `QUERIES_END_MS` later, deletes the sources. 4. It deletes the note.
 *
 * A query finds all rows at any time, between 2 and 3 twice; `<table>_exact` has each once. A run may be killed
 * anywhere: the next one finishes by the note. Where the merged file is not there, the note goes and nothing else.
 * Where a source was written again (`erase` does that), all sources stay and the merged file goes.
 *
 * @throws MillraceError `compact-refused` where a merged file would not have as many rows as its sources
 */
export async function compactLake(lake: S3Place, { days, now }: CompactOptions): Promise<Compacted> {
  const start = now();
  const done: Compacted = { merged: 0, sources: 0, deleted: 0, undone: 0 };
  const pending = await finish(lake, start, done);
  const instance = await DuckDBInstance.create(":memory:", { threads: "1", memory_limit: "1GB" });
  const connection = await instance.connect();
  try {
    for (const name of Object.keys(tables) as TableName[])
      for (let day = 0; day < days; day++) {
        const dt = new Date(start - day * DAY).toISOString().slice(0, 10);
        const files = await lake.list(`${name}/dt=${dt}/`);
        for (const batch of batchesOf(files, pending, start)) {
          if (now() - start > RUN_LIMIT_MS) return done;
          if (await merge(lake, connection, tables[name], batch)) {
            done.merged++;
            done.sources += batch.length;
          }
        }
      }
    return done;
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

/** Steps 3 and 4 of the notes that are old enough. @returns The paths that the other notes name. */
async function finish(lake: S3Place, now: EpochMs, done: Compacted): Promise<ReadonlySet<string>> {
  const pending = new Set<string>();
  for (const { path, writtenMs } of await lake.list(NOTES)) {
    const note = JSON.parse(await lake.read(path)) as Note;
    if (now - writtenMs < QUERIES_END_MS) {
      for (const one of [note.merged, ...note.sources.map((source) => source.path)]) pending.add(one);
      continue;
    }
    const there = new Map((await lake.list(`${dirname(note.merged)}/`)).map((file) => [file.path, file.tag]));
    const isWhole = note.sources.every((source) => there.has(source.path));
    const isOld = note.sources.some((source) => there.get(source.path) !== source.tag);
    if (there.has(note.merged) && isWhole && isOld) {
      await lake.remove(note.merged);
      done.undone++;
    } else if (there.has(note.merged))
      for (const source of note.sources.filter((one) => there.has(one.path))) {
        await lake.remove(source.path);
        done.deleted++;
      }
    await lake.remove(path);
  }
  return pending;
}

/** The small files of each settled hour, in their order, as many together as may be joined. */
function batchesOf(files: readonly S3File[], pending: ReadonlySet<string>, now: EpochMs): S3File[][] {
  const ofHour = Map.groupBy(
    files.filter(({ path }) => path.endsWith(".parquet")),
    ({ path }) => dirname(path),
  );
  return [...ofHour.values()]
    .filter((hour) => hour.every(({ writtenMs }) => now - writtenMs >= SETTLED_MS))
    .flatMap((hour) => {
      const batches: S3File[][] = [[]];
      let bytes = 0;
      for (const file of hour.filter((one) => one.bytes < LARGE_BYTES && !pending.has(one.path))) {
        if (bytes + file.bytes > MERGE_BYTES) {
          batches.push([]);
          bytes = 0;
        }
        batches.at(-1)!.push(file);
        bytes += file.bytes;
      }
      return batches.filter(({ length }) => length > 1);
    });
}

/** Steps 1 and 2. @returns False when somebody wrote a source again meanwhile: then nothing is left of it. */
async function merge(
  lake: S3Place,
  connection: DuckDBConnection,
  table: TableSpec,
  batch: readonly S3File[],
): Promise<boolean> {
  const sources = batch.map(({ path, tag }) => ({ path, tag }));
  const id = createHash("sha256").update(JSON.stringify(sources)).digest("hex").slice(0, 32);
  const folder = dirname(sources[0]!.path);
  const note: Note = { merged: `${folder}/merged-${id}.parquet`, sources };
  const notePath = `${NOTES}${id}.json`;
  const dir = await mkdtemp(join(tmpdir(), "millrace-compact-"));
  try {
    const copies = sources.map((_, i) => join(dir, `${i}.parquet`));
    const tags: (string | undefined)[] = [];
    for (const [i, source] of sources.entries()) tags.push(await lake.fetch(source, copies[i]!));
    if (sources.some(({ tag }, i) => tag !== tags[i])) return false;
    const target = join(dir, "merged.parquet");
    await connection.run(mergeSql(table, copies, target));
    const rows = [await rowsOf(connection, copies), await rowsOf(connection, [target])];
    if (rows[0] !== rows[1])
      throw new MillraceError(
        "compact-refused",
        `the files of ${folder} have ${rows[0]} rows, and joined ${rows[1]}: nothing was changed`,
      );
    await lake.write(notePath, Buffer.from(JSON.stringify(note)));
    await lake.write(note.merged, await readFile(target), { isNew: true });
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
  const there = new Map((await lake.list(`${folder}/`)).map((file) => [file.path, file.tag]));
  if (sources.every(({ path, tag }) => there.get(path) === tag)) return true;
  await lake.remove(note.merged);
  await lake.remove(notePath);
  return false;
}

async function rowsOf(connection: DuckDBConnection, files: readonly string[]): Promise<number> {
  const list = files.map(sqlText).join(", ");
  const found = await connection.runAndReadAll(`SELECT sum(num_rows) FROM parquet_file_metadata([${list}])`);
  return Number(found.getRows()[0]![0]);
}
