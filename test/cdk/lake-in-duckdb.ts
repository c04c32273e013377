import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DuckDBInstance, type DuckDBConnection } from "@duckdb/node-api";
import { partitionColumns, tables, type TableName } from "../../domain/tables.ts";
import { toJson } from "../../local/lake/json.ts";
import { sqlName, sqlText } from "../../local/lake/sql.ts";
import { duckdbType, parseHiveType } from "../../local/lake/types.ts";
import { pythonTools } from "./python.ts";
import { resourcesOf, root, synthesised } from "./synthesised.ts";

/** Rows of tables. */
export type LakeRows = Partial<Record<TableName, readonly object[]>>;

/**
 * The lake of dev's templates in DuckDB: its tables with rows, its views, and statements of Athena, which sqlglot
 * translates. Firehose delivers at least once: the first row of a table is there twice.
 */
export class LakeInDuckdb {
  readonly #connection: DuckDBConnection;
  /** Views of the templates, as DuckDB has them, by name. */
  readonly views: ReadonlyMap<string, string>;
  readonly #folder = mkdtempSync(join(tmpdir(), "millrace-athena-"));

  private constructor(connection: DuckDBConnection, views: ReadonlyMap<string, string>) {
    this.#connection = connection;
    this.views = views;
  }

  static async open(rows: LakeRows): Promise<LakeInDuckdb> {
    const views = translated(viewsOf(await synthesised("dev")));
    const connection = await (await DuckDBInstance.create(":memory:", { threads: "1" })).connect();
    const lake = new LakeInDuckdb(connection, views);
    for (const { name, columns } of Object.values(tables)) {
      const typed = [...columns, ...partitionColumns].map(
        (column) => `${sqlName(column.name)} ${duckdbType(parseHiveType(column.type))}`,
      );
      await connection.run(`CREATE TABLE ${sqlName(name)} (${typed.join(", ")})`);
      const [first, ...others] = rows[name] ?? [];
      if (first !== undefined) await lake.add(name, [first, first, ...others]);
    }
    for (const [name, sql] of views) await connection.run(`CREATE VIEW ${sqlName(name)} AS ${sql}`);
    return lake;
  }

  async add(name: TableName, rows: readonly object[]): Promise<void> {
    const file = join(this.#folder, `${name}.json`);
    writeFileSync(file, rows.map((row) => JSON.stringify(row)).join("\n"));
    const types = [...tables[name].columns, ...partitionColumns]
      .map(({ name: column, type }) => `${sqlText(column)}: ${sqlText(duckdbType(parseHiveType(type)))}`)
      .join(", ");
    await this.#connection.run(
      `INSERT INTO ${sqlName(name)} SELECT * FROM read_json(${sqlText(file)}, columns = {${types}})`,
    );
  }

  /** Rows of a statement of DuckDB. */
  async select(sql: string): Promise<Record<string, unknown>[]> {
    const found = (await this.#connection.runAndReadAll(sql)).getRowObjects();
    return found.map((row) => Object.fromEntries(Object.entries(row).map(([key, value]) => [key, toJson(value)])));
  }

  close(): void {
    this.#connection.closeSync();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** The statements of the templates' views, by name, as Athena stores them. */
function viewsOf(platform: Awaited<ReturnType<typeof synthesised>>): Map<string, string> {
  const presto = /^\/\* Presto View: (.*) \*\/$/;
  return new Map(
    resourcesOf(platform, "AWS::Glue::Table")
      .map(({ resource }) => resource.Properties["TableInput"] as { Name: string; ViewOriginalText?: string })
      .filter(({ Name }) => Name.endsWith("_exact"))
      .map(({ Name, ViewOriginalText = "" }) => {
        const definition = Buffer.from(presto.exec(ViewOriginalText)?.[1] ?? "", "base64").toString();
        return [Name, (JSON.parse(definition) as { originalSql: string }).originalSql];
      }),
  );
}

/** Statements of Athena as DuckDB has them. */
export function translated(named: ReadonlyMap<string, string>): Map<string, string> {
  const run = spawnSync(join(pythonTools()!, "python"), [join(root, "test/cdk/standin/translate.py")], {
    encoding: "utf8",
    input: JSON.stringify([...named.values()]),
  });
  if (run.status !== 0) throw new Error(`sqlglot failed:\n${run.stderr.slice(-4_000)}`);
  const statements = JSON.parse(run.stdout) as string[];
  return new Map([...named.keys()].map((name, i) => [name, statements[i]!]));
}
