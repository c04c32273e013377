import { globSync } from "node:fs";
import { join } from "node:path";
import { DuckDBInstance, type Json } from "@duckdb/node-api";
import { MillraceError } from "../../domain/errors.ts";
import { tables } from "../../domain/tables.ts";
import { headers as headerNames } from "../../domain/topics.ts";
import type { InputRecord } from "../runtime/machine.ts";

/** Sorting more than this spills to disk. */
const MEMORY_LIMIT = "1GB";
const COLUMNS = `"partition", "offset", "timestamp", key, value, CAST(to_json(headers) AS VARCHAR) AS headers`;

/**
 * The records of a topic as the lake's raw table holds them, each once (Firehose delivers at least once), partition
 * after partition in offset order. Offsets may have gaps: the log has them, too, where transactions were marked. `told`
 * hears of values that no row could hold.
 *
 * @throws MillraceError `arguments-invalid` when the folder holds no raw table.
 */
export async function* rawLakeRecords(
  lakeDir: string,
  topic: string,
  told: (sentence: string) => void,
): AsyncGenerator<InputRecord> {
  const files = join(lakeDir, tables.raw.name, "dt=*", "hour=*", "*.parquet");
  if (globSync(files).length === 0)
    throw new MillraceError(
      "arguments-invalid",
      `there is no ${files}: expected is the folder of a lake, such as .millrace/data/lake or a copy of the bucket's`,
    );
  const instance = await DuckDBInstance.create(":memory:", { threads: "2", memory_limit: MEMORY_LIMIT });
  const connection = await instance.connect();
  try {
    const rows = await connection.stream(
      `SELECT ${COLUMNS} FROM read_parquet($files, hive_partitioning = true, hive_types = {'dt': VARCHAR, 'hour': VARCHAR}, union_by_name = true)
       WHERE topic = $topic QUALIFY row_number() OVER (PARTITION BY id) = 1 ORDER BY "partition", "offset"`,
      { files, topic },
    );
    for await (const chunk of rows.yieldRowsJson()) for (const row of chunk) yield recordOf(row, topic, told);
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

function recordOf(
  [partition, offset, timestamp, key, value, headers]: readonly Json[],
  topic: string,
  told: (sentence: string) => void,
): InputRecord {
  const given = headers === null ? {} : (JSON.parse(headers as string) as Record<string, string>);
  const { [headerNames.fullSize]: size, [headerNames.fullSha256]: sha256 } = given;
  if (value === null && sha256 !== undefined)
    told(
      `${topic}/${Number(partition)}/${Number(offset)}: the lake holds no value of ${size} bytes (SHA-256 ${sha256}); it is replayed without one`,
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
