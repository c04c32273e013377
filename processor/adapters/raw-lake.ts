import { globSync } from "node:fs";
import { join } from "node:path";
import { DuckDBInstance, type DuckDBConnection, type Json } from "@duckdb/node-api";
import { CONTINUES_HEADER } from "../../domain/controls.ts";
import { MillraceError } from "../../domain/errors.ts";
import { pipelines, type PipelineName } from "../../domain/pipelines.ts";
import { textHeaders, type RecordHeaders } from "../../domain/record-headers.ts";
import { logTableOf, tables, type TableName } from "../../domain/tables.ts";
import type { EpochMs } from "../../domain/time.ts";
import { headers as headerNames, topics } from "../../domain/topics.ts";
import type { Failure, InputRecord, KnownRecord } from "../runtime/machine.ts";
import { failureCodes } from "./letter-failures.ts";

/** DuckDB sorts on disk what is larger than this. */
const MEMORY_LIMIT = "1GB";
const PARQUET_OPTIONS = "hive_partitioning = true, hive_types = {'dt': VARCHAR, 'hour': VARCHAR}, union_by_name = true";
const COLUMNS = `id, topic, "partition", "offset", "timestamp", part, parts, key, value, headers,
  key_text, headers_text['traceparent'] AS traceparent`;
/** A column that only files of the present form have. */
const PARTS_COLUMN = "parts";
/** Version 0.1 wrote keys and headers as text, without headers that were null, and no value that exceeded a row. */
const FIRST_FORM = `id, topic, "partition", "offset", "timestamp", 0 AS part, 1 AS parts,
  to_base64(encode(key)) AS key, value, CAST(to_json(list_transform(map_entries(headers),
    lambda entry: {name: entry.key, value: to_base64(encode(entry.value)), more: false})) AS VARCHAR) AS headers,
  key AS key_text, headers['traceparent'] AS traceparent`;

/** A header in a row; see `domain/tables.ts`. */
interface HeaderEntry {
  readonly name: string;
  readonly value: string | null;
  readonly more: boolean;
}

/** One row of the table: a record, or a part of one. */
interface Row {
  readonly partition: number;
  readonly offset: number;
  readonly timestamp: number;
  readonly part: number;
  readonly parts: number;
  readonly key: string | null;
  readonly value: string | null;
  readonly headers: readonly HeaderEntry[];
}

/** Which records of a log are read; what is absent restricts nothing. */
export interface LakeSelection {
  readonly partitions?: readonly number[] | null;
  readonly offset?: number;
  /** Their key, as text. */
  readonly key?: string;
  /** Their timestamps: inclusive, exclusive. */
  readonly times?: { readonly from: EpochMs; readonly to: EpochMs };
  /** The trace id in their `traceparent`. */
  readonly traceId?: string;
}

/** Conditions of a selection, each with AND before it. */
function conditionsOf({ partitions, offset, key, times, traceId }: LakeSelection): string {
  const conditions = [
    ...(partitions == null ? [] : [`"partition" IN (${partitions.join(", ")})`]),
    ...(offset === undefined ? [] : [`"offset" = ${offset}`]),
    ...(key === undefined ? [] : [`key_text = ${sqlText(key)}`]),
    ...(times === undefined ? [] : [`"timestamp" >= ${times.from}`]),
    ...(times === undefined || times.to === Infinity ? [] : [`"timestamp" < ${times.to}`]),
    ...(traceId === undefined ? [] : [`substr(traceparent, 4, 32) = ${sqlText(traceId)}`]),
  ];
  return conditions.map((condition) => `AND ${condition}`).join(" ");
}

/**
 * The records of a topic as the lake's table of its log holds them: partition after partition, in offset order, each
 * once although Firehose delivers at least once. Offsets have gaps where the log has transaction markers.
 *
 * @param log The log in the topic, see `logName`: the table holds those that were lost, too.
 * @param warn Called with a sentence for each record whose value was too large for the table of version 0.1.
 * @param only Which records are read. @default all
 * @throws MillraceError `arguments-invalid` when the folder holds no such table, or a part of a record is missing
 */
export async function* rawLakeRecords(
  lakeDir: string,
  topic: string,
  log: string,
  warn: (sentence: string) => void,
  only: LakeSelection = {},
): AsyncGenerator<KnownRecord> {
  const files = filesOf(lakeDir, topic);
  const { connection, close } = await openDatabase();
  try {
    const failures = await failuresIn(connection, lakeDir, log);
    const rows = await connection.stream(
      `SELECT * EXCLUDE (id, topic) FROM (${await rowsOf(connection, files)})
       WHERE topic = $topic AND starts_with(id, $log || '/') ${conditionsOf(only)}
       QUALIFY row_number() OVER (PARTITION BY "partition", "offset", part) = 1 ORDER BY "partition", "offset", part`,
      { topic, log },
    );
    let parts: Row[] = [];
    for await (const chunk of rows.yieldRowsJson())
      for (const columns of chunk) {
        const row = rowOf(columns);
        if (parts.length > 0 && !continues(row, parts.at(-1)!)) throw incomplete(topic, parts);
        if (parts.length === 0 && row.part > 0) throw incomplete(topic, [row]);
        parts.push(row);
        if (parts.length < row.parts) continue;
        const record = recordOf(parts, topic, warn);
        const failed = failures.get(`${record.partition}/${record.offset}`);
        yield failed ? { ...record, failed } : record;
        parts = [];
      }
    if (parts.length > 0) throw incomplete(topic, parts);
  } finally {
    close();
  }
}

/**
 * The log with whose last state the tasks of a log began, see `CONTINUES_HEADER`; null for an empty state.
 *
 * @throws MillraceError `arguments-invalid` when the folder holds no such table
 */
export async function logBefore(lakeDir: string, topic: string, log: string): Promise<string | null> {
  const files = filesOf(lakeDir, topic);
  const { connection, close } = await openDatabase();
  try {
    const found = await connection.runAndReadAll(
      `SELECT headers FROM (${await rowsOf(connection, files)}) WHERE topic = $topic AND starts_with(id, $log || '/')
       AND key IS NULL AND value IS NULL AND contains(headers, $header) LIMIT 1`,
      { topic, log, header: `"name":"${CONTINUES_HEADER}"` },
    );
    const [headers] = found.getRowsJson()[0] ?? [];
    if (headers === undefined) return null;
    return textHeaders(headersOf(JSON.parse(headers as string) as HeaderEntry[]))[CONTINUES_HEADER] ?? null;
  } finally {
    close();
  }
}

/** The tables that a replay of a pipeline's log reads. */
export function tablesOfLog(pipeline: PipelineName): TableName[] {
  return [logTableOf(topics[pipelines[pipeline].input].name).name as TableName, tables.dead_letters.name];
}

/** The files of a topic's table. @throws MillraceError `arguments-invalid` */
function filesOf(lakeDir: string, topic: string): string[] {
  const pattern = join(lakeDir, logTableOf(topic).name, "dt=*", "hour=*", "*.parquet");
  const files = globSync(pattern);
  if (files.length > 0) return files;
  throw new MillraceError(
    "arguments-invalid",
    `there is no ${pattern}: expected is the folder of a lake, such as .millrace/data/lake or a copy of the bucket`,
  );
}

async function openDatabase(): Promise<{ readonly connection: DuckDBConnection; readonly close: () => void }> {
  const instance = await DuckDBInstance.create(":memory:", { threads: "2", memory_limit: MEMORY_LIMIT });
  const connection = await instance.connect();
  const close = (): void => {
    connection.closeSync();
    instance.closeSync();
  };
  return { connection, close };
}

/** Where our own code failed, and which models were refused: from the dead letters, by `<partition>/<offset>`. */
async function failuresIn(
  connection: DuckDBConnection,
  lakeDir: string,
  log: string,
): Promise<ReadonlyMap<string, readonly Failure[]>> {
  const files = globSync(join(lakeDir, tables.dead_letters.name, "dt=*", "hour=*", "*.parquet"));
  const failures = new Map<string, Failure[]>();
  if (files.length === 0) return failures;
  const rows = await connection.runAndReadAll(
    `SELECT DISTINCT error_code, error_message, key, source_partition, source_offset
     FROM read_parquet([${files.map(sqlText).join(", ")}], ${PARQUET_OPTIONS})
     WHERE source_topic = ${sqlText(log)} AND error_code IN (${failureCodes.map(sqlText).join(", ")}) AND part = 0`,
  );
  for (const [code, message, key, partition, offset] of rows.getRowsJson()) {
    const place = `${Number(partition)}/${Number(offset)}`;
    const own = code === "state-failed" ? Buffer.from((key as string | null) ?? "", "base64").toString("utf8") : null;
    const failure = { offset: Number(offset), key: own, message: message as string };
    failures.set(place, [...(failures.get(place) ?? []), failure]);
  }
  return failures;
}

/** SQL of the rows of files, whichever form they have. */
async function rowsOf(connection: DuckDBConnection, files: readonly string[]): Promise<string> {
  const present = await connection.runAndReadAll(
    `SELECT DISTINCT file_name FROM parquet_schema([${files.map(sqlText).join(", ")}]) WHERE name = '${PARTS_COLUMN}'`,
  );
  const ofPresentForm = new Set(present.getRows().map(([name]) => name as string));
  const forms = [
    { columns: COLUMNS.replace("headers", "CAST(to_json(headers) AS VARCHAR) AS headers"), isIn: true },
    { columns: FIRST_FORM, isIn: false },
  ].map(({ columns, isIn }) => ({ columns, of: files.filter((file) => ofPresentForm.has(file) === isIn) }));
  return forms
    .filter(({ of }) => of.length > 0)
    .map(
      ({ columns, of }) => `SELECT ${columns} FROM read_parquet([${of.map(sqlText).join(", ")}], ${PARQUET_OPTIONS})`,
    )
    .join(" UNION ALL ");
}

function sqlText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** DuckDB writes whole numbers of 64 bits as text. */
function rowOf([partition, offset, timestamp, part, parts, key, value, headers]: readonly Json[]): Row {
  return {
    partition: Number(partition),
    offset: Number(offset),
    timestamp: Number(timestamp),
    part: Number(part),
    parts: Number(parts),
    key: key as string | null,
    value: value as string | null,
    headers: headers === null ? [] : (JSON.parse(headers as string) as HeaderEntry[]),
  };
}

function continues(row: Row, before: Row): boolean {
  return row.partition === before.partition && row.offset === before.offset && row.part === before.part + 1;
}

function incomplete(topic: string, [row, ...more]: readonly Row[]): MillraceError {
  const { partition, offset, parts } = row!;
  return new MillraceError(
    "arguments-invalid",
    `${topic}/${partition}/${offset} comes in ${parts} parts, of which the lake has ${more.length + 1}: ` +
      "what Firehose has not delivered yet is missing, or files are",
  );
}

function recordOf(rows: readonly Row[], topic: string, warn: (sentence: string) => void): InputRecord {
  const { partition, offset, timestamp } = rows[0]!;
  const headers = textHeaders(headersOf(rows.flatMap((row) => row.headers)));
  const value = bytesOf(rows.map((row) => row.value));
  const { [headerNames.fullSize]: size, [headerNames.fullSha256]: sha256 } = headers;
  if (value === null && sha256 !== undefined)
    warn(
      `${topic}/${partition}/${offset}: the value of ${size} bytes (SHA-256 ${sha256}) was too large ` +
        "for the lake; the record is replayed without it",
    );
  return { partition, offset, timestamp, key: bytesOf(rows.map((row) => row.key)), value, headers };
}

/** Joins base64 that was cut at multiples of four characters; null when all of it is. */
function bytesOf(texts: readonly (string | null)[]): Buffer | null {
  return texts.every((text) => text === null) ? null : Buffer.from(texts.map((text) => text ?? "").join(""), "base64");
}

function headersOf(entries: readonly HeaderEntry[]): RecordHeaders {
  const headers: [string, Buffer | null][] = [];
  let names: string[] = [];
  let values: (string | null)[] = [];
  for (const { name, value, more } of entries) {
    names.push(name);
    values.push(value);
    if (more) continue;
    headers.push([names.join(""), bytesOf(values)]);
    names = [];
    values = [];
  }
  return headers;
}
