import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { tables } from "../../../../domain/tables.ts";
import { recordsOf } from "../../../../lambda/shared/kafka-event.ts";
import { reachAt } from "../../../../lambda/write-lake/partition.ts";
import { lakeTables, type Row } from "../../../../lambda/write-lake/rows.ts";
import { ParquetWriter } from "../../../../local/firehose/parquet.ts";
import { mskEvent, type RecordSpec } from "../../../lambda/events.ts";

const ROOT = join(import.meta.dirname, "..", "..", "..", "..");
const FLAGS = ["--disable-warning=ExperimentalWarning"];

/** One sensor, a reading every 100 ms for four seconds, always the same figures: offset n at `start` + n × 100 ms. */
export function smallLog(start: number): RecordSpec[] {
  return Array.from({ length: 40 }, (_, n) => {
    const t = start + n * 100;
    const value = { seq: n, boot: "b", t: [t], samples: [[1, 2, 3, 4, 5, 6]] };
    const headers = { "content-type": "application/json" };
    return { topic: "imu-data-all", offset: n, timestamp: t, key: "s", value, headers };
  });
}

export interface TableRow {
  readonly table: keyof typeof tables;
  readonly row: Row;
}

export function rowsOf(specs: readonly RecordSpec[], start: number): TableRow[] {
  return recordsOf(mskEvent(specs)).flatMap((record) => {
    const { table, toRows } = lakeTables[record.topic]!;
    return toRows(record, reachAt(start, 0), { sensor: 1, market: 1 }).map((row) => ({ table, row }));
  });
}

/** What a processor gives for a log, of what goes to the lake; in a folder. */
export function outputsOf(log: readonly RecordSpec[], folder: string): RecordSpec[] {
  const input = join(folder, "log.ndjson");
  const lines = log.map(({ key, value, timestamp, headers }) => JSON.stringify({ key, timestamp, value, headers }));
  writeFileSync(input, lines.join("\n"));
  const { stdout } = command("replay", ["--input", input], folder);
  return stdout
    .trimEnd()
    .split("\n")
    .map((line, offset) => ({ ...(JSON.parse(line) as { topic: string; key: string; value: object }), offset }))
    .filter(({ topic }) => topic in lakeTables);
}

/** Writes a lake of these rows. */
export async function writeRows(dir: string, rows: readonly TableRow[]): Promise<string> {
  const writer = await ParquetWriter.create();
  const byPlace = Map.groupBy(rows, ({ table, row }) => join(dir, table, `dt=${row.dt}`, `hour=${row.hour}`));
  for (const [place, some] of byPlace) {
    mkdirSync(place, { recursive: true });
    const lines = some.map(({ row }) => JSON.stringify(row));
    await writer.write(tables[some[0]!.table], lines, join(dir, "scratch"), join(place, "0.parquet"));
  }
  writer.close();
  return dir;
}

export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command in a folder. */
export function command(name: string, args: readonly string[], folder: string): Ended {
  const main = join(ROOT, "processor/commands", name, "main.ts");
  const { status, stdout, stderr } = spawnSync(process.execPath, [...FLAGS, main, ...args], {
    cwd: folder,
    encoding: "utf8",
  });
  return { status, stdout, stderr };
}

/** Runs a command in a folder, with more environment variables, while the test goes its way. */
export async function commandWith(
  name: string,
  args: readonly string[],
  folder: string,
  env: Readonly<Record<string, string>>,
): Promise<Ended> {
  const main = join(ROOT, "processor/commands", name, "main.ts");
  const child = spawn(process.execPath, [...FLAGS, main, ...args], { cwd: folder, env: { ...process.env, ...env } });
  const said = Promise.all([text(child.stdout), text(child.stderr)]);
  const [status] = (await once(child, "close")) as [number | null];
  const [stdout, stderr] = await said;
  return { status, stdout, stderr };
}
