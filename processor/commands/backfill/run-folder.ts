import { existsSync } from "node:fs";
import { mkdir, open, readFile, rm, writeFile, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { MillraceError } from "../../../domain/errors.ts";
import { partitionColumns, type TableName, tables } from "../../../domain/tables.ts";
import type { Differences } from "../../../lambda/shared/runs.ts";
import { sqlName, sqlText } from "../../../local/lake/sql.ts";
import { duckdbType, parseHiveType } from "../../../local/lake/types.ts";

/** Tells a run's folder from any other: what lacks it is never deleted. */
const RUN_FILE = "backfill-run.json";

/** The folder of a run: a lake of the outputs that have a table, and a file of lines for each other topic. */
export class RunFolder {
  readonly dir: string;
  readonly #files = new Map<string, FileHandle>();
  readonly #tables = new Set<TableName>();
  #about: object = { complete: false };

  private constructor(dir: string) {
    this.dir = dir;
  }

  /**
   * Makes the folder.
   *
   * @param again Whether the folder of a run, complete or not, is deleted first.
   * @throws MillraceError `backfill-refused` when there is such a folder and it is not to be, or must not be, deleted
   */
  static async create(dir: string, again: boolean): Promise<RunFolder> {
    RunFolder.check(dir, again);
    await rm(dir, { recursive: true, force: true });
    await mkdir(dir, { recursive: true });
    const folder = new RunFolder(dir);
    await folder.#describe({});
    return folder;
  }

  /** Whether the folder can be made: throws what `create` throws. */
  static check(dir: string, again: boolean): void {
    if (!existsSync(dir)) return;
    if (!existsSync(join(dir, RUN_FILE)))
      throw new MillraceError("backfill-refused", `${dir} is no folder of a run: give another --run or --out`);
    if (!again)
      throw new MillraceError(
        "backfill-refused",
        `${dir} has a run already, complete or not: give another --run, or --again to replace it`,
      );
  }

  /** Appends lines of JSON to the file of a topic. */
  async appendOutputs(topic: string, lines: readonly string[]): Promise<void> {
    await this.#append(`${topic}.ndjson`, lines);
  }

  /** Appends rows, as lines of JSON, to a table. They are in it when the folder is complete. */
  async appendRows(table: TableName, lines: readonly string[]): Promise<void> {
    this.#tables.add(table);
    await this.#append(rowsFile(table), lines);
  }

  /** The run that a folder says to have, as `backfill-run.json` has it; null where it is none. */
  static async about(dir: string): Promise<Readonly<Record<string, unknown>> | null> {
    const text = await readFile(join(dir, RUN_FILE), "utf8").catch(() => null);
    return text === null ? null : (JSON.parse(text) as Record<string, unknown>);
  }

  /** Deletes the folder of a run. None is no error. @throws MillraceError `backfill-refused` when it is no run's */
  static async remove(dir: string): Promise<void> {
    if (!existsSync(dir)) return;
    if (!existsSync(join(dir, RUN_FILE)))
      throw new MillraceError("backfill-refused", `${dir} is no folder of a run: it is left`);
    await rm(dir, { recursive: true });
  }

  /** Says what the comparison counted. */
  async compared(differences: Differences): Promise<void> {
    await this.#describe({ compared: differences });
  }

  /** Turns the rows into tables, and says what the run was. */
  async complete(about: object): Promise<void> {
    await this.#close();
    for (const table of this.#tables) await this.#writeTable(table);
    await this.#describe({ complete: true, ...about });
  }

  async #append(name: string, lines: readonly string[]): Promise<void> {
    if (lines.length === 0) return;
    const file = this.#files.get(name) ?? (await open(join(this.dir, name), "a"));
    this.#files.set(name, file);
    await file.appendFile(lines.map((line) => `${line}\n`).join(""));
  }

  async #close(): Promise<void> {
    await Promise.all([...this.#files.values()].map((file) => file.close()));
    this.#files.clear();
  }

  async #writeTable(table: TableName): Promise<void> {
    const columns = [...tables[table].columns, ...partitionColumns].map(
      ({ name, type }) => [name, duckdbType(parseHiveType(type))] as const,
    );
    const types = columns.map(([name, type]) => `${sqlText(name)}: ${sqlText(type)}`).join(", ");
    const rows = join(this.dir, rowsFile(table));
    const source = `read_json(${sqlText(rows)}, format = 'newline_delimited', columns = {${types}})`;
    const parts = partitionColumns.map(({ name }) => sqlName(name)).join(", ");
    const instance = await DuckDBInstance.create(":memory:", { threads: "1", memory_limit: "1GB" });
    const connection = await instance.connect();
    try {
      await connection.run(
        `COPY (SELECT * FROM ${source}) TO ${sqlText(join(this.dir, table))}
         (FORMAT parquet, COMPRESSION snappy, PARTITION_BY (${parts}))`,
      );
    } finally {
      connection.closeSync();
      instance.closeSync();
    }
    await rm(rows);
  }

  async #describe(more: object): Promise<void> {
    this.#about = { ...this.#about, ...more };
    await writeFile(join(this.dir, RUN_FILE), `${JSON.stringify(this.#about, null, 2)}\n`);
  }
}

function rowsFile(table: TableName): string {
  return `${table}.rows.ndjson`;
}
