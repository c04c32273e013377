import { DuckDBInstance, type DuckDBConnection } from "@duckdb/node-api";
import { ERASE_HEADER, ERASED, EVENT_TIME_HEADER } from "../../../domain/controls.ts";
import type { TableName } from "../../../domain/tables.ts";
import { MINUTE, type EpochMs } from "../../../domain/time.ts";
import { controlTypes, headers as headerNames } from "../../../domain/topics.ts";
import { sqlText } from "../../../local/lake/sql.ts";
import type { LakeFile, LakePlace } from "../../adapters/lake-place.ts";

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
/** Files that are looked at together: those of a lake in S3 are fetched first. */
const FILES_AT_ONCE = 8;
/** A file may have been written so long before the time that it bears says: clocks, and uploads in parts. */
const WRITTEN_SLACK_MS = 5 * MINUTE;

/** Event time that an erased record leaves, by `<partition>/<offset>`: where the watermark is the partition's. */
export type EventTimes = ReadonlyMap<string, number>;

/** What is taken out of a lake. */
export interface LakeErasure {
  readonly sensorId: string;
  readonly eventTimes: EventTimes;
  /** Files that were written before are clean already. @default none are */
  readonly since?: EpochMs;
}

/**
 * Takes a sensor out of the files of a lake, and gives the rows of each table that had it. A file is replaced as a
 * whole, under its name, also one that has no other row. One that somebody replaces meanwhile counts for nothing: the
 * next look has the new one.
 *
 * - Rows of outputs and dead letters go.
 * - Of a row of the log, partition, offset and timestamp stay: the others' replay needs them. The same of the `erase`
 *   record that named the sensor.
 */
export async function eraseFromLake(lake: LakePlace, erasure: LakeErasure): Promise<Record<string, number>> {
  return withDuckDb(async (connect) => {
    const connection = await connect();
    await connection.run("CREATE TABLE event_times (place VARCHAR, event_time VARCHAR)");
    for (const [place, time] of erasure.eventTimes)
      await connection.run("INSERT INTO event_times VALUES ($place, $time)", { place, time: base64(String(time)) });
    const erased: Record<string, number> = {};
    for (const [table, what] of Object.entries(sensorTables) as [TableName, "deleted" | "emptied"][]) {
      erased[table] = 0;
      await forEachFile(await writtenSince(lake, table, erasure.since), connect, async (file, own) => {
        let count = 0;
        const isAsWanted = await lake.edit(file, async (path) => {
          count = await rewrite(own, path, { table, what, sensorId: erasure.sensorId });
          return count === 0 ? null : `${path}${SCRATCH}`;
        });
        if (isAsWanted) erased[table]! += count;
      });
    }
    return erased;
  });
}

/** Looks for records in a lake, in the files of `raw` that were written since. Remembers what it has seen. */
export class RecordSearch {
  readonly #lake: LakePlace;
  readonly #since: EpochMs;
  readonly #missing: Set<string>;
  /** Files that have been looked at. */
  readonly #seen = new Set<string>();

  constructor(lake: LakePlace, ids: readonly string[], since: EpochMs) {
    this.#lake = lake;
    this.#since = since;
    this.#missing = new Set(ids);
  }

  /** Looks at the files that are new. @returns The ids that no file has had. */
  async missing(): Promise<readonly string[]> {
    const nameOf = ({ path, writtenMs }: LakeFile): string => `${path} ${writtenMs}`;
    const files = (await writtenSince(this.#lake, "raw", this.#since)).filter((file) => !this.#seen.has(nameOf(file)));
    await withDuckDb((connect) =>
      forEachFile(files, connect, async (file, connection) => {
        const ids = [...this.#missing].map(sqlText).join(", ");
        if (ids === "") return;
        const isSeen = await this.#lake.edit(file, async (path) => {
          const found = await connection.runAndReadAll(
            `SELECT DISTINCT id FROM read_parquet(${sqlText(path)}) WHERE id IN (${ids})`,
          );
          for (const [id] of found.getRows()) this.#missing.delete(id as string);
          return null;
        });
        if (isSeen) this.#seen.add(nameOf(file));
      }),
    );
    return [...this.#missing];
  }
}

async function writtenSince(lake: LakePlace, table: TableName, since: EpochMs = 0): Promise<LakeFile[]> {
  return (await lake.files(table)).filter(({ writtenMs }) => writtenMs >= since - WRITTEN_SLACK_MS);
}

type Connect = () => Promise<DuckDBConnection>;

async function withDuckDb<T>(use: (connect: Connect) => Promise<T>): Promise<T> {
  const instance = await DuckDBInstance.create(":memory:", { threads: "2", memory_limit: "1GB" });
  const connections: DuckDBConnection[] = [];
  try {
    return await use(async () => {
      const connection = await instance.connect();
      connections.push(connection);
      return connection;
    });
  } finally {
    for (const connection of connections) connection.closeSync();
    instance.closeSync();
  }
}

async function forEachFile(
  files: readonly LakeFile[],
  connect: Connect,
  look: (file: LakeFile, connection: DuckDBConnection) => Promise<void>,
): Promise<void> {
  const waiting = files.values();
  const lookAtNext = async (): Promise<void> => {
    const connection = await connect();
    for (const file of waiting) await look(file, connection);
  };
  await Promise.all(Array.from({ length: Math.min(FILES_AT_ONCE, files.length) }, lookAtNext));
}

/** Writes a file without the sensor's rows beside it, if it has any. @returns How many it had. */
async function rewrite(
  connection: DuckDBConnection,
  path: string,
  {
    table,
    what,
    sensorId,
  }: { readonly table: TableName; readonly what: "deleted" | "emptied"; readonly sensorId: string },
): Promise<number> {
  const isFirstForm = !(await columnsOf(connection, path)).has("parts");
  const own = isOwn(table, sensorId, isFirstForm);
  const source = `read_parquet(${sqlText(path)}, hive_partitioning = false)`;
  const rows = await connection.runAndReadAll(`SELECT count(*) FROM ${source} WHERE ${own}`);
  const count = Number(rows.getRows()[0]![0]);
  if (count === 0) return 0;
  const query = what === "deleted" ? `SELECT * FROM ${source} WHERE NOT ${own}` : emptied(source, own, isFirstForm);
  await connection.run(`COPY (${query}) TO ${sqlText(`${path}${SCRATCH}`)} (FORMAT parquet, COMPRESSION snappy)`);
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
