// `npm run lake -- "select …"`: asks the lake. Tables: see domain/tables.ts; each has a view <table>_exact with one
// row per id.
import { parseArgs } from "node:util";
import { readSettings } from "../config/settings.ts";
import { toJson } from "./lake/json.ts";
import { openLake } from "./lake/open.ts";

const USAGE = `usage: npm run lake -- "select count(*) from raw_exact" [--json] [--lake DIR]
  --json      one JSON object a line instead of a table
  --lake DIR  folder of the lake (default: LAKE_DIR, or .millrace/data/lake)
tables: raw, aggregated, sessions, inference, late, market; each also as <table>_exact, one row per id`;

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
  const rows = (await lake.runAndReadAll(query))
    .getRowObjects()
    .map((row) => Object.fromEntries(Object.entries(row).map(([name, value]) => [name, toJson(value)])));
  if (values.json) for (const row of rows) console.log(JSON.stringify(row));
  else
    console.table(
      rows.map((row) =>
        Object.fromEntries(
          Object.entries(row).map(([name, value]) => [
            name,
            typeof value === "object" && value !== null ? JSON.stringify(value) : value,
          ]),
        ),
      ),
    );
} catch (error) {
  console.error(`lake: ${(error as Error).message}`);
  process.exit(1);
}
