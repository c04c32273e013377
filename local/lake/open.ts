import { globSync } from "node:fs";
import { join } from "node:path";
import { DuckDBInstance, type DuckDBConnection } from "@duckdb/node-api";
import { partitionColumns, tables, type TableSpec } from "../../domain/tables.ts";
import { sqlName, sqlText } from "./sql.ts";
import { duckdbType, parseHiveType } from "./types.ts";

/**
 * Opens a DuckDB connection with views of the lake's tables, partition columns included, and `<table>_exact` with one
 * row per id (Firehose delivers at least once). A query reads the files that exist when it runs. A table that has no
 * file when the connection is opened stays empty. Functions of Athena that DuckDB names otherwise have Athena's name,
 * too.
 */
export async function openLake(lakeDir: string): Promise<DuckDBConnection> {
  const instance = await DuckDBInstance.create(":memory:", { threads: "2", memory_limit: "1GB" });
  const connection = await instance.connect();
  for (const macro of athenaFunctions) await connection.run(macro);
  await addLake(connection, lakeDir, "main");
  return connection;
}

/** Adds the views of another lake to a connection, in a schema of this name. */
export async function addLake(connection: DuckDBConnection, lakeDir: string, schema: string): Promise<void> {
  await connection.run(`CREATE SCHEMA IF NOT EXISTS ${sqlName(schema)}`);
  for (const statement of lakeViews(lakeDir, schema, (pattern) => globSync(pattern).length > 0))
    await connection.run(statement);
}

/** On what is no UTF-8, or no JSON, they give null, where DuckDB's own end the query. */
const athenaFunctions = [
  "CREATE MACRO from_utf8(bytes) AS TRY(decode(bytes))",
  "CREATE MACRO json_extract_scalar(text, path) AS CASE WHEN json_valid(text) THEN json_extract_string(text, path) END",
];

/** SQL statements that create the views of a lake folder in a schema. */
function lakeViews(lakeDir: string, schema: string, exists: (pattern: string) => boolean): string[] {
  return Object.values<TableSpec>(tables).flatMap((table) => {
    const columns = [...table.columns, ...partitionColumns].map(({ name, type }) => ({
      name: sqlName(name),
      type: duckdbType(parseHiveType(type)),
    }));
    const files = join(lakeDir, table.name, "dt=*", "hour=*", "*.parquet");
    const options = "hive_partitioning = true, hive_types = {'dt': VARCHAR, 'hour': VARCHAR}, union_by_name = true";
    const select = exists(files)
      ? `SELECT ${columns.map(({ name }) => name).join(", ")} FROM read_parquet(${sqlText(files)}, ${options})`
      : `SELECT ${columns.map(({ name, type }) => `NULL::${type} AS ${name}`).join(", ")} WHERE false`;
    const [name, exact] = [table.name, `${table.name}_exact`].map((view) => `${sqlName(schema)}.${sqlName(view)}`);
    return [
      `CREATE VIEW ${name} AS ${select}`,
      `CREATE VIEW ${exact} AS SELECT * FROM ${name} QUALIFY row_number() OVER (PARTITION BY id) = 1`,
    ];
  });
}
