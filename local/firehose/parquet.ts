import { open, rename, rm, writeFile } from "node:fs/promises";
import { DuckDBInstance, type DuckDBConnection } from "@duckdb/node-api";
import type { TableSpec } from "../../domain/tables.ts";
import { mergeSql, PARQUET_FORMAT } from "../lake/merge.ts";
import { sqlName, sqlText } from "../lake/sql.ts";
import { duckdbType, parseHiveType } from "../lake/types.ts";

/** A row as a line of JSON; as bytes in UTF-8. */
type Line = string | Uint8Array;

const LINE_FEED = Buffer.from("\n");

/** Writes rows as Parquet files with exactly the columns and types of their table. Calls must not overlap. */
export class ParquetWriter {
  readonly #connection: DuckDBConnection;

  private constructor(connection: DuckDBConnection) {
    this.#connection = connection;
  }

  static async create(): Promise<ParquetWriter> {
    const instance = await DuckDBInstance.create(":memory:", { threads: "1", memory_limit: "512MB" });
    return new ParquetWriter(await instance.connect());
  }

  /**
   * Writes `rows` to `target`, which appears complete or not at all.
   *
   * @param rows Without line feeds.
   * @param scratch A path on the same file system that nobody else uses.
   * @returns Indexes of the rows that are left out: JavaScript can read them, but DuckDB cannot (lone surrogates,
   *   duplicate keys).
   */
  async write(table: TableSpec, rows: readonly Line[], scratch: string, target: string): Promise<number[]> {
    let refused: number[] = [];
    try {
      await this.#copy(table, rows, scratch, target);
    } catch (error) {
      if (!isUnreadable(error)) throw error;
      refused = await this.#refused(table, rows, scratch, 0);
      const good = rows.filter((_, i) => !refused.includes(i));
      if (good.length > 0) await this.#copy(table, good, scratch, target);
    }
    await rm(`${scratch}.ndjson`, { force: true });
    return refused;
  }

  /**
   * Writes the rows of files, in their order, to a file.
   *
   * @throws Error when a file can't be read or lacks a column, as one of an older version may
   */
  async merge(table: TableSpec, files: readonly string[], target: string): Promise<void> {
    await this.#connection.run(mergeSql(table, files, target));
    await syncFile(target);
  }

  close(): void {
    this.#connection.closeSync();
  }

  async #copy(table: TableSpec, rows: readonly Line[], scratch: string, target: string): Promise<void> {
    await writeFile(`${scratch}.ndjson`, joined(rows));
    const columns = table.columns.map(({ name }) => sqlName(name)).join(", ");
    const parquet = `${scratch}.parquet`;
    const query = `SELECT ${columns} FROM ${source(table, scratch)}`;
    await this.#connection.run(`COPY (${query}) TO ${sqlText(parquet)} (${PARQUET_FORMAT})`);
    await syncFile(parquet);
    await rename(parquet, target);
  }

  /** Indexes of the rows that DuckDB cannot read, found by bisection. */
  async #refused(table: TableSpec, rows: readonly Line[], scratch: string, from: number): Promise<number[]> {
    await writeFile(`${scratch}.ndjson`, joined(rows));
    try {
      await this.#connection.run(`SELECT count(COLUMNS(*)) FROM ${source(table, scratch)}`);
      return [];
    } catch (error) {
      if (!isUnreadable(error)) throw error;
      if (rows.length === 1) return [from];
      const middle = Math.ceil(rows.length / 2);
      return [
        ...(await this.#refused(table, rows.slice(0, middle), scratch, from)),
        ...(await this.#refused(table, rows.slice(middle), scratch, from + middle)),
      ];
    }
  }
}

const joined = (rows: readonly Line[]): Buffer =>
  Buffer.concat(rows.flatMap((row) => [typeof row === "string" ? Buffer.from(row) : row, LINE_FEED]));

/** Whether the error is about a row, and not about the disk or the memory. */
const isUnreadable = (error: unknown): boolean =>
  /^(Invalid Input|Conversion|Out of Range) Error/.test((error as Error).message);

function source(table: TableSpec, scratch: string): string {
  const columns = table.columns
    .map(({ name, type }) => `${sqlText(name)}: ${sqlText(duckdbType(parseHiveType(type)))}`)
    .join(", ");
  return `read_json(${sqlText(`${scratch}.ndjson`)}, format='newline_delimited', columns={${columns}})`;
}

async function syncFile(path: string): Promise<void> {
  const file = await open(path, "r");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
