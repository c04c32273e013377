import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TableSpec } from "../../domain/tables.ts";
import { MINUTE, type EpochMs, type Milliseconds } from "../../domain/time.ts";
import type { ParquetWriter } from "./parquet.ts";

/** A folder gets no more files for this long before its files are merged: queries ask most for what is new. */
const SETTLED_MS: Milliseconds = 10 * MINUTE;
/** So many files of segments are merged without waiting: late ones may come for ever. */
const MOST_FILES = 64;
const NOTE = "compaction.json";
const SCRATCH = "merged.parquet";
/** Ends the names of merged files. Those of segments do not end so. */
const MERGED = "-merged";

/** What is being merged: read at the next start, when this one was cut off. */
interface Note {
  readonly merged: string;
  readonly sources: readonly string[];
}

/** An hour's folder that rows were written to. */
interface Unsettled {
  /** Time of its last file. */
  at: EpochMs;
  /** Files of segments in it. */
  files: number;
}

/**
 * Merges the files of an hour into one when no more come, and those of segments when they are many. A query that runs
 * meanwhile may see rows of both, for as long as it takes to delete the sources; `<table>_exact` shows each once.
 *
 * 1. The merged file is written to the scratch folder.
 * 2. A note says which files it holds.
 * 3. It is renamed into the folder. 4. Its sources are deleted. 5. The note is deleted.
 *
 * After a crash, the note says whether 3 was done. Then 4 and 5 are; otherwise the note goes, and the files stay.
 */
export class Compaction {
  readonly #table: TableSpec;
  readonly #folder: string;
  readonly #scratch: string;
  readonly #writer: ParquetWriter;
  readonly #unsettled: Map<string, Unsettled>;

  private constructor(
    table: TableSpec,
    folder: string,
    scratch: string,
    writer: ParquetWriter,
    unsettled: Map<string, Unsettled>,
  ) {
    this.#table = table;
    this.#folder = folder;
    this.#scratch = scratch;
    this.#writer = writer;
    this.#unsettled = unsettled;
  }

  /**
   * Finishes what a crash has cut off, and looks for folders that wait.
   *
   * @param folder The table's part of the lake.
   * @param scratch A folder on the same file system that nobody else uses, and that outlives the process.
   */
  static async open(
    table: TableSpec,
    { folder, scratch }: { readonly folder: string; readonly scratch: string },
    writer: ParquetWriter,
    now: EpochMs,
  ): Promise<Compaction> {
    await mkdir(scratch, { recursive: true });
    await finish(scratch);
    const entries = await readdir(folder, { withFileTypes: true, recursive: true }).catch(() => []);
    const files = Map.groupBy(
      entries.filter((entry) => entry.isFile() && entry.name.endsWith(".parquet")),
      (entry) => entry.parentPath,
    );
    const waiting = [...files]
      .filter(([, ofFolder]) => ofFolder.length > 1)
      .map(([path, { length }]): [string, Unsettled] => [path, { at: now, files: length }]);
    return new Compaction(table, folder, scratch, writer, new Map(waiting));
  }

  /** A file was written into the partition `dt=…/hour=…`. */
  written(partition: string, now: EpochMs): void {
    const folder = join(this.#folder, partition);
    this.#unsettled.set(folder, { at: now, files: (this.#unsettled.get(folder)?.files ?? 0) + 1 });
  }

  /**
   * Merges the files of one folder, where that is due. All segments of the journal must have been converted: one that
   * is converted again would bring rows a second time that are merged already.
   *
   * @throws Error when a file can't be read. The files stay; they are tried again when more have come, or the program
   *   starts
   */
  async run(now: EpochMs): Promise<void> {
    const isSettled = ({ at }: Unsettled): boolean => now - at >= SETTLED_MS;
    const due = [...this.#unsettled].find(([, one]) => isSettled(one) || one.files >= MOST_FILES);
    if (!due) return;
    const [folder, one] = due;
    if (isSettled(one)) this.#unsettled.delete(folder);
    else one.files = 0;
    await finish(this.#scratch); // the merge before, where its sources could not be deleted
    const names = (await readdir(folder))
      .filter((name) => name.endsWith(".parquet") && (isSettled(one) || !name.includes(MERGED)))
      .sort();
    if (names.length > 1) await this.#merge(folder, names);
  }

  async #merge(folder: string, names: readonly string[]): Promise<void> {
    const newest = names
      .at(-1)!
      .replace(/\.parquet$/, "")
      .replaceAll(MERGED, "");
    const merged = join(folder, `${newest}${MERGED}.parquet`);
    const sources = names.map((name) => join(folder, name)).filter((path) => path !== merged);
    const scratch = join(this.#scratch, SCRATCH);
    await this.#writer.merge(
      this.#table,
      names.map((name) => join(folder, name)),
      scratch,
    );
    const note = join(this.#scratch, NOTE);
    await writeFile(`${note}.new`, JSON.stringify({ merged, sources } satisfies Note), { flush: true });
    await rename(`${note}.new`, note);
    await rename(scratch, merged);
    await finish(this.#scratch);
  }
}

/**
 * Steps 4 and 5 of the merge whose note is there, when 3 was done: then the scratch file is gone and the merged one is
 * there. Otherwise the note goes first: without the scratch file it would look as if 3 was done.
 */
async function finish(folder: string): Promise<void> {
  const [note, scratch] = [join(folder, NOTE), join(folder, SCRATCH)];
  if (await exists(note)) {
    const { merged, sources } = JSON.parse(await readFile(note, "utf8")) as Note;
    if (!(await exists(scratch)) && (await exists(merged))) for (const path of sources) await rm(path, { force: true });
    await rm(note);
  }
  await rm(scratch, { force: true });
}

/** @throws Error when the file system can't tell */
const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return false;
      throw error;
    },
  );
