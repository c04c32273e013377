import { existsSync, globSync } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { DuckDBInstance, type DuckDBConnection } from "@duckdb/node-api";
import { ERASE_HEADER, ERASED, EVENT_TIME_HEADER } from "../../../domain/controls.ts";
import { tables, type TableName } from "../../../domain/tables.ts";
import { controlTypes, headers as headerNames } from "../../../domain/topics.ts";
import { sqlText } from "../../../local/lake/sql.ts";

/** Tables that hold what is known of sensors, with what happens to a sensor's rows there. */
const sensorTables: Partial<Record<TableName, "deleted" | "emptied">> = {
  raw: "emptied",
  dead_letters: "deleted",
  aggregated: "deleted",
  sessions: "deleted",
  inference: "deleted",
  late: "deleted",
};
const SCRATCH = ".erase";

/** Event time that an erased record leaves, by `<partition>/<offset>`: where the watermark is the partition's. */
export type EventTimes = ReadonlyMap<string, number>;

/**
 * Takes a sensor out of the files of a lake, and gives the rows of each table that had it. A file is replaced as a
 * whole, under its name, also one that has no other row.
 *
 * - Rows of outputs and dead letters go.
 * - Of a row of the log, partition, offset and timestamp stay: the others' replay needs them. The same of the `erase`
 *   record that named the sensor.
 */
export async function eraseFromLake(
  lakeDir: string,
  sensorId: string,
  eventTimes: EventTimes,
): Promise<Record<string, number>> {
  const instance = await DuckDBInstance.create(":memory:", { threads: "2", memory_limit: "1GB" });
  const connection = await instance.connect();
  try {
    await connection.run("CREATE TABLE event_times (place VARCHAR, event_time VARCHAR)");
    for (const [place, time] of eventTimes)
      await connection.run("INSERT INTO event_times VALUES ($place, $time)", { place, time: base64(String(time)) });
    const erased: Record<string, number> = {};
    for (const [table, what] of Object.entries(sensorTables)) {
      erased[table] = 0;
      for (const file of globSync(join(lakeDir, tables[table as TableName].name, "dt=*", "hour=*", "*.parquet")))
        erased[table] += await eraseFromFile(connection, file, table as TableName, what, sensorId);
    }
    return erased;
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

/** Whether the lake has the records with these ids. */
export async function hasRecords(lakeDir: string, ids: readonly string[]): Promise<boolean> {
  const files = globSync(join(lakeDir, tables.raw.name, "dt=*", "hour=*", "*.parquet"));
  if (files.length === 0) return false;
  const instance = await DuckDBInstance.create(":memory:", { threads: "2", memory_limit: "1GB" });
  const connection = await instance.connect();
  try {
    const list = files.map(sqlText).join(", ");
    const found = await connection.runAndReadAll(
      `SELECT count(DISTINCT id) FROM read_parquet([${list}], union_by_name = true)
       WHERE id IN (${ids.map(sqlText).join(", ")})`,
    );
    return Number(found.getRows()[0]![0]) === ids.length;
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

/** @returns Rows that were erased. None of a file that Firehose merges meanwhile: the next look has the merged one. */
async function eraseFromFile(...given: Parameters<typeof rewrite>): Promise<number> {
  try {
    return await rewrite(...given);
  } catch (error) {
    const [, file] = given;
    if (existsSync(file)) throw error;
    return 0;
  }
}

async function rewrite(
  connection: DuckDBConnection,
  file: string,
  table: TableName,
  what: "deleted" | "emptied",
  sensorId: string,
): Promise<number> {
  const isFirstForm = !(await columnsOf(connection, file)).has("parts");
  const own = isOwn(table, sensorId, isFirstForm);
  const source = `read_parquet(${sqlText(file)}, hive_partitioning = false)`;
  const rows = await connection.runAndReadAll(`SELECT count(*) FROM ${source} WHERE ${own}`);
  const count = Number(rows.getRows()[0]![0]);
  if (count === 0) return 0;
  const query = what === "deleted" ? `SELECT * FROM ${source} WHERE NOT ${own}` : emptied(source, own, isFirstForm);
  const scratch = `${file}${SCRATCH}`;
  await connection.run(`COPY (${query}) TO ${sqlText(scratch)} (FORMAT parquet, COMPRESSION snappy)`);
  if (!existsSync(file)) {
    await rm(scratch);
    return 0;
  }
  await rename(scratch, file);
  return count;
}

/** Whether a row is of the sensor. Every part of a record has the readable copies; an id is short enough for them. */
function isOwn(table: TableName, sensorId: string, isFirstForm: boolean): string {
  if (table !== "raw" && table !== "dead_letters") return `sensor_id = ${sqlText(sensorId)}`;
  if (isFirstForm) return `coalesce(key = ${sqlText(sensorId)}, false)`;
  const header = (name: string): string => `headers_text[${sqlText(name)}]`;
  const conditions = [
    `key = ${sqlText(base64(sensorId))}`,
    `key_text = ${sqlText(sensorId)}`,
    `${header(headerNames.type)} = ${sqlText(controlTypes.erase)} AND ${header(ERASE_HEADER)} = ${sqlText(sensorId)}`,
    `ends_with(${header(headerNames.mqttTopic)}, ${sqlText(`/${sensorId}`)})`,
  ];
  return `(${conditions.map((condition) => `coalesce(${condition}, false)`).join(" OR ")})`;
}

function emptied(source: string, own: string, isFirstForm: boolean): string {
  if (isFirstForm)
    return `SELECT * REPLACE (
      CASE WHEN ${own} THEN NULL ELSE key END AS key, CASE WHEN ${own} THEN NULL ELSE value END AS value,
      CASE WHEN ${own} THEN MAP {${sqlText(headerNames.type)}: ${sqlText(ERASED)}} ELSE headers END AS headers)
      FROM ${source}`;
  const entry = (name: string, value: string): string => `{'name': ${sqlText(name)}, 'value': ${value}, 'more': false}`;
  const type = entry(headerNames.type, sqlText(base64(ERASED)));
  const time = entry(EVENT_TIME_HEADER, "event_time");
  const headers = `CASE WHEN event_time IS NULL THEN [${type}] ELSE [${type}, ${time}] END`;
  const orElse = (value: string, column: string): string => `CASE WHEN ${own} THEN ${value} ELSE ${column} END`;
  return `SELECT * EXCLUDE (place, event_time) REPLACE (
    ${orElse("NULL", "key")} AS key, ${orElse("NULL", "value")} AS value, ${orElse("1", "parts")} AS parts,
    ${orElse(headers, "headers")} AS headers, ${orElse("NULL", "key_text")} AS key_text,
    ${orElse(`MAP {${sqlText(headerNames.type)}: ${sqlText(ERASED)}}`, "headers_text")} AS headers_text)
    FROM ${source} LEFT JOIN event_times ON place = "partition" || '/' || "offset"
    WHERE NOT (${own} AND part > 0)`;
}

async function columnsOf(connection: DuckDBConnection, file: string): Promise<ReadonlySet<string>> {
  const found = await connection.runAndReadAll(`SELECT name FROM parquet_schema(${sqlText(file)})`);
  return new Set(found.getRows().map(([name]) => name as string));
}

function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}
