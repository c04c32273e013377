// `npm run lake -- "select …"`: runs an SQL query over the lake. The tables are those of domain/tables.ts. Each has a
// view <table>_exact with one row per id.
import { flag, parseCommandLine, text } from "../adapters/command-line.ts";
import { runCommand } from "../adapters/run-command.ts";
import { readSettings } from "../config/settings.ts";
import { MillraceError } from "../domain/errors.ts";
import { tables } from "../domain/tables.ts";
import { toJson } from "./lake/json.ts";
import { openLake } from "./lake/open.ts";

const USAGE = `npm run lake -- "select count(*) from raw_exact" [--json] [--lake DIR]
  --json      print one JSON object per line instead of a table
  --lake DIR  folder of the lake (default: LAKE_DIR, or .millrace/data/lake)
tables: ${Object.keys(tables).join(", ")}; each also as <table>_exact, with one row per id`;

await runCommand(async (args) => {
  const { values, positionals } = parseCommandLine(args, {
    usage: USAGE,
    options: { json: flag, lake: text },
    takesPositionals: true,
    check: (_, given) => (given.length === 1 ? [] : [`one query is expected; received ${given.length} arguments`]),
  });
  const lake = await openLake(values.lake ?? readSettings("firehose", process.env).lakeDir);
  const rows = await query(lake, positionals[0]!);
  if (values.json) for (const row of rows) console.log(JSON.stringify(row));
  else console.table(rows.map((row) => mapValues(row, toCell)));
});

/** @throws MillraceError `arguments-invalid` with what DuckDB says of the query */
async function query(lake: Awaited<ReturnType<typeof openLake>>, sql: string): Promise<Record<string, unknown>[]> {
  try {
    const result = await lake.runAndReadAll(sql);
    return result.getRowObjects().map((row) => mapValues(row, toJson));
  } catch (cause) {
    throw new MillraceError("arguments-invalid", (cause as Error).message, { cause });
  }
}

function mapValues<T>(row: Readonly<Record<string, T>>, map: (value: T) => unknown): Record<string, unknown> {
  return Object.fromEntries(Object.entries(row).map(([name, value]) => [name, map(value)]));
}

/** Nested values as JSON, because a table of the console shows them as [Object]. */
function toCell(value: unknown): unknown {
  return typeof value === "object" && value !== null ? JSON.stringify(value) : value;
}
