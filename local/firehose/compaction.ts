import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TableSpec } from "../../domain/tables.ts";
import { MINUTE, type EpochMs, type Milliseconds } from "../../domain/time.ts";
import type { ParquetWriter } from "./parquet.ts";

/** A folder gets no more files for this long before its files are merged: queries ask most for what is new. */
const SETTLED_MS: Milliseconds = 10 * MINUTE;
const NOTE = "compaction.json";
/** Ends the names of merged files. Those of segments do not end so. */
const MERGED = "-merged";

/** What is being merged: read at the next start, when this one was cut off. */
interface Note {
  readonly merged: string;
  readonly sources: readonly string[];
}

/**
 * Merges the files of an hour into one when no more come. A query that runs meanwhile may see rows of both, for as long
 * as it takes to delete the sources; `<table>_exact` shows each once.
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
  /** Folders of hours that rows were written to, by the time of their last file. */
  readonly #unsettled: Map<string, EpochMs>;

  private constructor(
    table: TableSpec,
    folder: string,
    scratch: string,
    writer: ParquetWriter,
    unsettled: Map<string, EpochMs>,
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
    const text = await readFile(join(scratch, NOTE), "utf8").catch(() => null);
    if (text !== null) await finish(JSON.parse(text) as Note, join(scratch, NOTE));
    const entries = await readdir(folder, { withFileTypes: true, recursive: true }).catch(() => []);
    const files = Map.groupBy(
      entries.filter((entry) => entry.isFile() && entry.name.endsWith(".parquet")),
      (entry) => entry.parentPath,
    );
    const waiting = [...files]
      .filter(([, ofFolder]) => ofFolder.length > 1)
      .map(([path]): [string, number] => [path, now]);
    return new Compaction(table, folder, scratch, writer, new Map(waiting));
  }

  /** A file was written into the partition `dt=…/hour=…`. */
  written(partition: string, now: EpochMs): void {
    this.#unsettled.set(join(this.#folder, partition), now);
  }

  /**
   * Merges the files of one folder that has settled. All segments of the journal must have been converted: one that is
   * converted again would bring rows a second time that are merged already.
   */
  async run(now: EpochMs): Promise<void> {
    const settled = [...this.#unsettled].find(([, at]) => now - at >= SETTLED_MS);
    if (!settled) return;
    const [folder] = settled;
    const names = (await readdir(folder)).filter((name) => name.endsWith(".parquet")).sort();
    // Also where it fails: the files stay as they are, and are looked at again at the next start.
    this.#unsettled.delete(folder);
    if (names.length > 1) await this.#merge(folder, names);
  }

  async #merge(folder: string, names: readonly string[]): Promise<void> {
    const newest = names
      .at(-1)!
      .replace(/\.parquet$/, "")
      .replaceAll(MERGED, "");
    const merged = join(folder, `${newest}${MERGED}.parquet`);
    const sources = names.map((name) => join(folder, name)).filter((path) => path !== merged);
    const scratch = join(this.#scratch, "merged.parquet");
    await this.#writer.merge(
      this.#table,
      names.map((name) => join(folder, name)),
      scratch,
    );
    const note = join(this.#scratch, NOTE);
    await writeFile(`${note}.new`, JSON.stringify({ merged, sources } satisfies Note), { flush: true });
    await rename(`${note}.new`, note);
    await rename(scratch, merged);
    await finish({ merged, sources }, note);
  }
}

/**
 * Steps 4 and 5, when 3 was done: then the scratch file is gone and the merged one is there. Otherwise the note goes
 * first: without the scratch file it would look as if 3 was done.
 */
async function finish({ merged, sources }: Note, note: string): Promise<void> {
  const scratch = join(note, "..", "merged.parquet");
  if (!(await exists(scratch)) && (await exists(merged))) for (const path of sources) await rm(path, { force: true });
  await rm(note, { force: true });
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
