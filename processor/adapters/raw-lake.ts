import { globSync } from "node:fs";
import { join } from "node:path";
import { DuckDBInstance, type Json } from "@duckdb/node-api";
import { MillraceError } from "../../domain/errors.ts";
import { tables } from "../../domain/tables.ts";
import { headers as headerNames } from "../../domain/topics.ts";
import type { InputRecord } from "../runtime/machine.ts";

/** DuckDB sorts on disk what is larger than this. */
const MEMORY_LIMIT = "1GB";
const COLUMNS = `"partition", "offset", "timestamp", key, value, CAST(to_json(headers) AS VARCHAR) AS headers`;
const PARQUET_OPTIONS = "hive_partitioning = true, hive_types = {'dt': VARCHAR, 'hour': VARCHAR}, union_by_name = true";

/**
 * The records of a topic as the lake's raw table holds them: partition after partition, in offset order, each once
 * although Firehose delivers at least once. Offsets have gaps where the log has transaction markers.
 *
 * @param warn Called with a sentence for each record whose value was too large for the table.
 * @throws MillraceError `arguments-invalid` when the folder holds no raw table
 */
export async function* rawLakeRecords(
  lakeDir: string,
  topic: string,
  warn: (sentence: string) => void,
): AsyncGenerator<InputRecord> {
  const files = join(lakeDir, tables.raw.name, "dt=*", "hour=*", "*.parquet");
  if (globSync(files).length === 0)
    throw new MillraceError(
      "arguments-invalid",
      `there is no ${files}: expected is the folder of a lake, such as .millrace/data/lake or a copy of the bucket`,
    );
  const instance = await DuckDBInstance.create(":memory:", { threads: "2", memory_limit: MEMORY_LIMIT });
  const connection = await instance.connect();
  try {
    const rows = await connection.stream(
      `SELECT ${COLUMNS} FROM read_parquet($files, ${PARQUET_OPTIONS})
       WHERE topic = $topic QUALIFY row_number() OVER (PARTITION BY id) = 1 ORDER BY "partition", "offset"`,
      { files, topic },
    );
    for await (const chunk of rows.yieldRowsJson()) for (const row of chunk) yield recordOf(row, topic, warn);
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

function recordOf(
  [partition, offset, timestamp, key, value, headers]: readonly Json[],
  topic: string,
  warn: (sentence: string) => void,
): InputRecord {
  const given = headers === null ? {} : (JSON.parse(headers as string) as Record<string, string>);
  const { [headerNames.fullSize]: size, [headerNames.fullSha256]: sha256 } = given;
  if (value === null && sha256 !== undefined)
    warn(
      `${topic}/${Number(partition)}/${Number(offset)}: the value of ${size} bytes (SHA-256 ${sha256}) was too large ` +
        "for the lake; the record is replayed without it",
    );
  // DuckDB writes whole numbers of 64 bits as text.
  return {
    partition: Number(partition),
    offset: Number(offset),
    timestamp: Number(timestamp),
    key: key === null ? null : Buffer.from(key as string),
    value: value === null ? null : Buffer.from(value as string, "base64"),
    headers: given,
  };
}
