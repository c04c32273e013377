// `npm run lake -- "select …"`: runs an SQL query over the lake. The tables are those of domain/tables.ts. Each has a
// view <table>_exact with one row per id.
import { parseArgs } from "node:util";
import { readSettings } from "../config/settings.ts";
import { tables } from "../domain/tables.ts";
import { toJson } from "./lake/json.ts";
import { openLake } from "./lake/open.ts";

const USAGE = `usage: npm run lake -- "select count(*) from raw_exact" [--json] [--lake DIR]
  --json      print one JSON object per line instead of a table
  --lake DIR  folder of the lake (default: LAKE_DIR, or .millrace/data/lake)
tables: ${Object.keys(tables).join(", ")}; each also as <table>_exact, with one row per id`;

try {
  const { values, positionals } = parseArgs({
    options: { json: { type: "boolean" }, lake: { type: "string" }, help: { type: "boolean" } },
    allowPositionals: true,
  });
  const [query, ...rest] = positionals;
  if (values.help || query === undefined || rest.length > 0) {
    console.error(USAGE);
    process.exit(values.help ? 0 : 2);
  }
  const lake = await openLake(values.lake ?? readSettings("firehose", process.env).lakeDir);
  const result = await lake.runAndReadAll(query);
  const rows = result.getRowObjects().map((row) => mapValues(row, toJson));
  if (values.json) for (const row of rows) console.log(JSON.stringify(row));
  else console.table(rows.map((row) => mapValues(row, toCell)));
} catch (error) {
  console.error(`lake: ${(error as Error).message}`);
  process.exit(1);
}

function mapValues<T>(row: Readonly<Record<string, T>>, map: (value: T) => unknown): Record<string, unknown> {
  return Object.fromEntries(Object.entries(row).map(([name, value]) => [name, map(value)]));
}

/** Nested values as JSON, because a table of the console shows them as [Object]. */
function toCell(value: unknown): unknown {
  return typeof value === "object" && value !== null ? JSON.stringify(value) : value;
}
