import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync, type SQLOutputValue, type StatementSync } from "node:sqlite";
import type { EpochMs } from "../../domain/time.ts";
import type { FeatureGroup, FeatureValue } from "./records.ts";

/** Records of a group that are kept, at most; about 250 MB of sensors' windows. The service keeps all. */
const KEPT_ROWS = 500_000;
/** Appended records between two deletions of those beyond. */
const DELETE_EVERY = 1_000;

/** Where the service puts the tables of offline stores. */
export const CATALOG = "AwsDataCatalog";
export const DATABASE = "sagemaker_featurestore";

const columnTypes = { String: "TEXT", Integral: "INTEGER", Fractional: "REAL" } as const;

/** The result of a query, as text; null for no value. */
export interface QueryResult {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly (string | null)[])[];
}

/** Name of a group's table. */
export function tableName(group: string): string {
  return group.replaceAll("-", "_");
}

/**
 * The offline store: every record that was put, and a row with `is_deleted` for every deletion, in a table per group.
 * It has the columns that the service adds: `write_time`, `api_invocation_time` (UTC) and `is_deleted`. A record is
 * there at once; the service takes up to 15 minutes. Records survive the death of the process.
 */
export class OfflineStore {
  readonly #database: DatabaseSync;
  readonly #keptRows: number;
  /** Reads the database under the name that it has in the catalog. */
  readonly #reader: DatabaseSync;
  readonly #inserts = new Map<string, { readonly names: readonly string[]; readonly statement: StatementSync }>();
  #appended = 0;

  constructor(directory: string, groups: readonly FeatureGroup[], keptRows = KEPT_ROWS) {
    this.#keptRows = keptRows;
    mkdirSync(directory, { recursive: true });
    const file = join(directory, "offline.sqlite");
    this.#database = new DatabaseSync(file);
    this.#database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL");
    for (const group of groups) this.#open(group);
    this.#reader = new DatabaseSync(":memory:");
    this.#reader.exec(`ATTACH ${quoted(file, "'")} AS ${DATABASE}; PRAGMA query_only = ON`);
  }

  /** Creates a group's table; one of an earlier version gets the columns that it lacks. */
  #open({ name, features, eventTime }: FeatureGroup): void {
    const table = quoted(tableName(name));
    const columns: [string, string][] = [
      ...features.map(({ name: feature, type }): [string, string] => [feature, columnTypes[type]]),
      ["write_time", "TIMESTAMP"],
      ["api_invocation_time", "TIMESTAMP"],
      ["is_deleted", "BOOLEAN"],
    ];
    const definitions = columns.map(([column, type]) => `${quoted(column)} ${type}`);
    this.#database.exec(`CREATE TABLE IF NOT EXISTS ${table} (${definitions.join(", ")})`);
    const existing = new Set(
      this.#database
        .prepare(`PRAGMA table_info(${table})`)
        .all()
        .map((row) => row["name"]),
    );
    for (const [i, [column]] of columns.entries())
      if (!existing.has(column)) this.#database.exec(`ALTER TABLE ${table} ADD COLUMN ${definitions[i]}`);
    const index = quoted(`${tableName(name)}_by_time`);
    this.#database.exec(`CREATE INDEX IF NOT EXISTS ${index} ON ${table} (${quoted(eventTime)})`);
    const names = columns.map(([column]) => column);
    const statement = this.#database.prepare(
      `INSERT INTO ${table} (${names.map((column) => quoted(column)).join(", ")})
       VALUES (${names.map(() => "?").join(", ")})`,
    );
    this.#inserts.set(name, { names, statement });
  }

  /** Appends a record, or of a deletion its identifier and event time. */
  append(group: string, values: readonly FeatureValue[], nowMs: EpochMs, isDeleted: boolean): void {
    const { names, statement } = this.#inserts.get(group)!;
    const time = new Date(nowMs).toISOString().replace("T", " ").slice(0, -1);
    const row = new Map<string, string | number>([
      ...values.map(({ FeatureName, ValueAsString }): [string, string] => [FeatureName, ValueAsString]),
      ["write_time", time],
      ["api_invocation_time", time],
      ["is_deleted", isDeleted ? 1 : 0],
    ]);
    // The columns' types turn texts of numbers into numbers.
    statement.run(...names.map((name) => row.get(name) ?? null));
    if (++this.#appended % DELETE_EVERY === 0) {
      const table = quoted(tableName(group));
      this.#database.exec(`DELETE FROM ${table} WHERE rowid <= (SELECT max(rowid) FROM ${table}) - ${this.#keptRows}`);
    }
  }

  /**
   * Runs a query, or a deletion. Tables may be written as `"sagemaker_featurestore"."<table>"`.
   *
   * @param maxRows Rows of the result, at most
   * @throws Error of SQLite, or one that says what is no query
   */
  query(sql: string, maxRows: number): QueryResult {
    if (/^\s*delete\b/i.test(sql)) {
      this.#database.prepare(sql.replaceAll(`"${DATABASE}".`, "")).run();
      return { columns: [], rows: [] };
    }
    if (!/^\s*(?:select|with)\b/i.test(sql))
      throw new Error("only queries and deletions are run here: SELECT, WITH or DELETE is expected");
    const statement = this.#reader.prepare(sql);
    const columns = statement.columns();
    const rows: (string | null)[][] = [];
    for (const row of statement.iterate()) {
      rows.push(columns.map(({ name, type }) => textOf(row[name], type)));
      if (rows.length >= maxRows) break;
    }
    return { columns: columns.map(({ name }) => name), rows };
  }

  close(): void {
    this.#reader.close();
    this.#database.close();
  }
}

/** A value as Athena gives it. */
function textOf(value: SQLOutputValue | undefined, type: string | null): string | null {
  if (value === null || value === undefined) return null;
  if (value instanceof Uint8Array) return Buffer.from(value).toString("hex");
  return type === "BOOLEAN" ? String(value === 1) : String(value);
}

function quoted(text: string, quote = '"'): string {
  return `${quote}${text.replaceAll(quote, quote + quote)}${quote}`;
}
