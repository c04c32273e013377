import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { tables } from "../../../domain/tables.ts";
import { Compaction } from "../../../local/firehose/compaction.ts";
import { ParquetWriter } from "../../../local/firehose/parquet.ts";

const TEN_MINUTES = 600_000;
const HOUR = join("dt=2026-11-28", "hour=07");
const table = tables.sessions;
let writer: ParquetWriter;
let root: string;
let folder: string;
let scratch: string;

beforeAll(async () => {
  writer = await ParquetWriter.create();
});
afterAll(() => writer.close());
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "millrace-compaction-"));
  folder = join(root, "sessions");
  scratch = join(root, "scratch");
  mkdirSync(join(folder, HOUR), { recursive: true });
  mkdirSync(scratch);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** Writes a file of rows with these ids. */
async function file(name: string, ...ids: string[]): Promise<void> {
  const rows = ids.map((id) => JSON.stringify({ id }));
  await writer.write(table, rows, join(root, "rows"), join(folder, HOUR, name));
}

const open = (now: number): Promise<Compaction> => Compaction.open(table, { folder, scratch }, writer, now);
const files = (): string[] => readdirSync(join(folder, HOUR)).sort();

/** The ids of all rows, as a query of somebody else finds them, file by file. */
async function ids(): Promise<unknown[]> {
  const connection = await (await DuckDBInstance.create(":memory:")).connect();
  const reader = await connection.runAndReadAll(`SELECT id FROM read_parquet('${folder}/**/*.parquet')`);
  connection.closeSync();
  return reader.getRows().map(([id]) => id);
}

test("files of an hour become one when no more have come for ten minutes, and late ones join it", async () => {
  await file("sessions-001.parquet", "a", "b");
  await file("sessions-002.parquet", "c");
  const compaction = await open(0);
  compaction.written(HOUR, 1_000);
  await compaction.run(TEN_MINUTES + 999);
  expect(files()).toEqual(["sessions-001.parquet", "sessions-002.parquet"]);
  await compaction.run(TEN_MINUTES + 1_000);
  expect(files()).toEqual(["sessions-002-merged.parquet"]);
  expect(await ids()).toEqual(["a", "b", "c"]);
  await file("sessions-003.parquet", "d");
  compaction.written(HOUR, TEN_MINUTES);
  await compaction.run(3 * TEN_MINUTES);
  expect(files()).toEqual(["sessions-003-merged.parquet"]);
  expect((await ids()).toSorted((a, b) => (String(a) < String(b) ? -1 : 1))).toEqual(["a", "b", "c", "d"]);
  expect(readdirSync(scratch)).toEqual([]);
});

test("what was written before the start is merged, too", async () => {
  await file("sessions-001.parquet", "a");
  await file("sessions-002.parquet", "b");
  const compaction = await open(5_000);
  await compaction.run(TEN_MINUTES);
  expect(files()).toHaveLength(2);
  await compaction.run(TEN_MINUTES + 5_000);
  expect(files()).toEqual(["sessions-002-merged.parquet"]);
});

test("a crash behind the renaming is finished by the next start, one before it changes nothing", async () => {
  await file("sessions-001.parquet", "a");
  await file("sessions-002.parquet", "b");
  const sources = ["sessions-001.parquet", "sessions-002.parquet"].map((name) => join(folder, HOUR, name));
  const note = { merged: join(folder, HOUR, "sessions-002-merged.parquet"), sources };
  // Before: the merged file still lies in the scratch folder.
  writeFileSync(join(scratch, "compaction.json"), JSON.stringify(note));
  writeFileSync(join(scratch, "merged.parquet"), "half a file");
  await open(0);
  expect(files()).toEqual(["sessions-001.parquet", "sessions-002.parquet"]);
  expect(readdirSync(scratch)).toEqual([]);
  // Behind: it lies in the hour's folder, beside one of its sources.
  await file("sessions-002-merged.parquet", "a", "b");
  writeFileSync(join(scratch, "compaction.json"), JSON.stringify(note));
  await open(0);
  expect(files()).toEqual(["sessions-002-merged.parquet"]);
  expect(await ids()).toEqual(["a", "b"]);
  expect(existsSync(join(scratch, "compaction.json"))).toBe(false);
});

test("a crash while the next start takes a merge back loses no file", async () => {
  await file("sessions-001.parquet", "a");
  await file("sessions-002.parquet", "b");
  const sources = ["sessions-001.parquet", "sessions-002.parquet"].map((name) => join(folder, HOUR, name));
  const note = { merged: join(folder, HOUR, "sessions-002-merged.parquet"), sources };
  // The merged file is in neither folder, so it is not what the sources may be deleted for.
  writeFileSync(join(scratch, "compaction.json"), JSON.stringify(note));
  await open(0);
  expect(files()).toEqual(["sessions-001.parquet", "sessions-002.parquet"]);
  expect(await ids()).toEqual(["a", "b"]);
  expect(readdirSync(scratch)).toEqual([]);
});

test("files that can't be merged stay, and are not tried again and again", async () => {
  await file("sessions-001.parquet", "a");
  writeFileSync(join(folder, HOUR, "sessions-002.parquet"), "no Parquet");
  const compaction = await open(0);
  await expect(compaction.run(TEN_MINUTES)).rejects.toThrow(/sessions-002/);
  expect(files()).toEqual(["sessions-001.parquet", "sessions-002.parquet"]);
  await compaction.run(2 * TEN_MINUTES);
  expect(files()).toHaveLength(2);
});

test("64 files of segments become one while more come, and those that were merged stay", async () => {
  const compaction = await open(0);
  for (let round = 0; round < 2; round++)
    for (let n = 0; n < 64; n++) {
      const segment = String(round * 64 + n).padStart(3, "0");
      await compaction.run(n);
      expect(files().filter((name) => !name.includes("merged"))).toHaveLength(n);
      await file(`sessions-${segment}.parquet`, `id-${segment}`);
      compaction.written(HOUR, n);
    }
  await compaction.run(64);
  expect(files()).toEqual(["sessions-063-merged.parquet", "sessions-127-merged.parquet"]);
  expect(await ids()).toEqual(Array.from({ length: 128 }, (_, n) => `id-${String(n).padStart(3, "0")}`));
});

test("sources that could not be deleted go before the next merge, so that no row is merged twice", async () => {
  await file("sessions-002-merged.parquet", "a", "b");
  const compaction = await open(0);
  await file("sessions-001.parquet", "a");
  const sources = [join(folder, HOUR, "sessions-001.parquet")];
  const note = { merged: join(folder, HOUR, "sessions-002-merged.parquet"), sources };
  writeFileSync(join(scratch, "compaction.json"), JSON.stringify(note));
  await file("sessions-003.parquet", "c");
  compaction.written(HOUR, 0);
  await compaction.run(TEN_MINUTES);
  expect(await ids()).toEqual(["a", "b", "c"]);
});

test("a merged file has row groups of about 8,192 rows, because one is in memory as a whole", async () => {
  const numbered = (from: number): string[] => Array.from({ length: 6_000 }, (_, i) => `${from + i}`);
  await file("sessions-001.parquet", ...numbered(0));
  await file("sessions-002.parquet", ...numbered(6_000));
  const compaction = await open(0);
  await compaction.run(TEN_MINUTES);
  const connection = await (await DuckDBInstance.create(":memory:")).connect();
  const reader = await connection.runAndReadAll(
    `SELECT DISTINCT row_group_id, row_group_num_rows FROM parquet_metadata('${join(folder, HOUR, files()[0]!)}')
     ORDER BY row_group_id`,
  );
  connection.closeSync();
  const rows = reader.getRows().map(([, count]) => Number(count));
  expect(rows.reduce((sum, count) => sum + count)).toBe(12_000);
  // DuckDB ends a group behind one of its vectors of 2,048 rows.
  expect(Math.max(...rows)).toBeLessThan(8_192 + 2_048);
});
