import type { DuckDBConnection } from "@duckdb/node-api";
import { pipelines, type PipelineName } from "../../../domain/pipelines.ts";
import { type TableName, tables } from "../../../domain/tables.ts";
import { topics } from "../../../domain/topics.ts";
import { lakeTables } from "../../../lambda/write-lake/rows.ts";
import { toJson } from "../../../local/lake/json.ts";
import { addLake, openLake } from "../../../local/lake/open.ts";
import { sqlName, sqlText } from "../../../local/lake/sql.ts";
import type { Range } from "./compute.ts";

/** The schemas of the two lakes. */
type Side = "live" | "run";

/** What is compared. */
export interface Comparing {
  /** Folder of the live lake, and of the run. */
  readonly live: string;
  readonly run: string;
  readonly pipeline: PipelineName;
  readonly log: string;
  /** Records of the log whose outputs the run has, by partition. */
  readonly ranges: ReadonlyMap<number, Range>;
  /** Differences that are listed per table and kind, at most. */
  readonly examples: number;
}

/** Records of a partition whose outputs are compared, and why it is not more. */
export interface Compared {
  readonly partition: number;
  readonly first: number;
  readonly last: number;
  readonly endsAt: "the end of the lake's log" | "--until" | "the live lake's newest output";
}

/** Rows that are not compared: of another log or partition, of records before those that the run has, or behind. */
export interface LeftOut {
  readonly otherLog: number;
  readonly otherPartition: number;
  readonly before: number;
  readonly behind: number;
}

export interface TableComparison {
  readonly table: TableName;
  readonly same: number;
  readonly changed: number;
  /** Ids that the live lake alone has. */
  readonly missing: number;
  /** Ids that the run alone has. */
  readonly added: number;
  /** In how many of the changed rows a column differs. */
  readonly changedColumns: Readonly<Record<string, number>>;
  readonly examples: {
    readonly changed: readonly {
      readonly id: string;
      readonly columns: Readonly<Record<string, { readonly live: unknown; readonly run: unknown }>>;
    }[];
    readonly missing: readonly string[];
    readonly added: readonly string[];
  };
  readonly leftOut: Readonly<Record<Side, LeftOut>>;
}

export interface Comparison {
  readonly partitions: readonly Compared[];
  readonly tables: readonly TableComparison[];
}

/**
 * Compares the rows of a run with those of the live lake, table by table, by record id. The id names the record whose
 * step gave the output, so it says whether both can have it: outputs of a step are committed together, and the newest
 * one of any table shows how far the live processor has come.
 */
export async function compare(comparing: Comparing): Promise<Comparison> {
  const { live, run, pipeline } = comparing;
  const connection = await openLake(live);
  try {
    await addLake(connection, live, "live");
    await addLake(connection, run, "run");
    const names = tablesOf(pipeline);
    const partitions = await comparedPartitions(connection, comparing, names);
    await connection.run('CREATE TABLE reach ("partition" INTEGER, first BIGINT, last BIGINT)');
    for (const { partition, first, last } of partitions)
      await connection.run(`INSERT INTO reach VALUES (${partition}, ${first}, ${last})`);
    const compared: TableComparison[] = [];
    for (const name of names) compared.push(await compareTable(connection, name, comparing));
    return { partitions, tables: compared };
  } finally {
    connection.closeSync();
  }
}

/** The tables of a pipeline's outputs. */
export function tablesOf(pipeline: PipelineName): TableName[] {
  return pipelines[pipeline].outputs.flatMap((topic) => lakeTables[topics[topic].name]?.table ?? []);
}

async function comparedPartitions(
  connection: DuckDBConnection,
  { log, ranges }: Comparing,
  names: readonly TableName[],
): Promise<Compared[]> {
  const ids = names.map((name) => `SELECT id FROM live.${sqlName(name)}`).join(" UNION ALL ");
  const found = await connection.runAndReadAll(
    `SELECT ${part(2)}, max(${part(3)}) FROM (${ids}) WHERE ${isOf(log)} GROUP BY 1`,
  );
  const newest = new Map(found.getRows().map(([partition, offset]) => [Number(partition), Number(offset)]));
  return [...ranges].map(([partition, { first, last, isCut }]) => {
    const written = newest.get(partition) ?? first - 1;
    if (written < last) return { partition, first, last: written, endsAt: "the live lake's newest output" };
    return { partition, first, last, endsAt: isCut ? "--until" : "the end of the lake's log" };
  });
}

async function compareTable(
  connection: DuckDBConnection,
  name: TableName,
  { log, examples }: Comparing,
): Promise<TableComparison> {
  const columns = tables[name].columns.filter((column) => column.name !== "id");
  const differing = columns.map((column) => {
    const [live, run] = (["live", "run"] as const).map((side) => {
      const value = `${side}.${sqlName(column.name)}`;
      // The order of a map's entries says nothing.
      return column.type.startsWith("map<") ? `list_sort(map_entries(${value}))` : value;
    });
    return `CASE WHEN ${live} IS DISTINCT FROM ${run} THEN ${sqlText(column.name)} END`;
  });
  await connection.run(
    `CREATE OR REPLACE TEMP TABLE verdicts AS
     WITH live AS (${placedRows("live", name, log)} WHERE place = 'compared'),
       run AS (${placedRows("run", name, log)} WHERE place = 'compared')
     SELECT coalesce(live.id, run.id) AS id, list_filter([${differing.join(", ")}], lambda c: c IS NOT NULL) AS columns,
       CASE WHEN live.id IS NULL THEN 'added' WHEN run.id IS NULL THEN 'missing'
         WHEN len(columns) > 0 THEN 'changed' ELSE 'same' END AS verdict
     FROM live FULL JOIN run ON live.id = run.id`,
  );
  const counts = await countsOf(connection, "SELECT verdict, count(*) FROM verdicts GROUP BY 1");
  const idsOf = async (verdict: string): Promise<string[]> => {
    const found = await connection.runAndReadAll(
      `SELECT id FROM verdicts WHERE verdict = ${sqlText(verdict)}
       ORDER BY ${part(2)}, ${part(3)}, ${part(4)} LIMIT ${examples}`,
    );
    return found.getRows().map(([id]) => id as string);
  };
  return {
    table: name,
    same: counts["same"] ?? 0,
    changed: counts["changed"] ?? 0,
    missing: counts["missing"] ?? 0,
    added: counts["added"] ?? 0,
    changedColumns: await countsOf(
      connection,
      `SELECT name, count(*) FROM (SELECT unnest(columns) AS name FROM verdicts WHERE verdict = 'changed')
       GROUP BY 1 ORDER BY 1`,
    ),
    examples: {
      changed: await changedRows(connection, name, await idsOf("changed")),
      missing: await idsOf("missing"),
      added: await idsOf("added"),
    },
    leftOut: { live: await leftOut(connection, "live", name, log), run: await leftOut(connection, "run", name, log) },
  };
}

async function changedRows(
  connection: DuckDBConnection,
  name: TableName,
  ids: readonly string[],
): Promise<TableComparison["examples"]["changed"]> {
  if (ids.length === 0) return [];
  const list = ids.map(sqlText).join(", ");
  const rowsOf = async (side: Side): Promise<Map<unknown, Record<string, unknown>>> => {
    const found = await connection.runAndReadAll(
      `SELECT * FROM ${side}.${sqlName(`${name}_exact`)} WHERE id IN (${list})`,
    );
    return new Map(
      found.getRowObjects().map((row) => {
        const values = Object.entries(row).map(([column, value]) => [column, toJson(value)] as const);
        return [row["id"], Object.fromEntries(values)];
      }),
    );
  };
  const [live, run] = [await rowsOf("live"), await rowsOf("run")];
  const found = await connection.runAndReadAll(`SELECT id, to_json(columns) FROM verdicts WHERE id IN (${list})`);
  const columns = new Map(found.getRows().map(([id, json]) => [id, JSON.parse(json as string) as string[]]));
  return ids.map((id) => ({
    id,
    columns: Object.fromEntries(
      columns.get(id)!.map((column) => [column, { live: live.get(id)![column], run: run.get(id)![column] }]),
    ),
  }));
}

async function leftOut(connection: DuckDBConnection, side: Side, name: TableName, log: string): Promise<LeftOut> {
  const counts = await countsOf(connection, `SELECT place, count(*) FROM (${placedRows(side, name, log)}) GROUP BY 1`);
  return {
    otherLog: counts["otherLog"] ?? 0,
    otherPartition: counts["otherPartition"] ?? 0,
    before: counts["before"] ?? 0,
    behind: counts["behind"] ?? 0,
  };
}

/** SQL of a table's rows with their place: compared, or why not. */
function placedRows(side: Side, name: TableName, log: string): string {
  return `SELECT * FROM (
    SELECT rows.*, CASE WHEN NOT ${isOf(log)} THEN 'otherLog' WHEN reach."partition" IS NULL THEN 'otherPartition'
      WHEN ${part(3)} < reach.first THEN 'before' WHEN ${part(3)} > reach.last THEN 'behind'
      ELSE 'compared' END AS place
    FROM ${side}.${sqlName(`${name}_exact`)} AS rows LEFT JOIN reach ON ${part(2)} = reach."partition")`;
}

/** SQL of whether an id is of this log. */
const isOf = (log: string): string => `starts_with(id, ${sqlText(`${log}/`)})`;

/** SQL of a number in an id: 2 its partition, 3 its offset, 4 which output of that record it is. */
const part = (number: 2 | 3 | 4): string => `TRY_CAST(split_part(id, '/', ${number}) AS BIGINT)`;

async function countsOf(connection: DuckDBConnection, sql: string): Promise<Record<string, number>> {
  const found = await connection.runAndReadAll(sql);
  return Object.fromEntries(found.getRows().map(([name, count]) => [name as string, Number(count)]));
}
