import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { tables } from "../../../../domain/tables.ts";
import { HOUR, MINUTE } from "../../../../domain/time.ts";
import { ParquetWriter } from "../../../../local/firehose/parquet.ts";
import { openLake } from "../../../../local/lake/open.ts";
import { s3Place } from "../../../../processor/adapters/lake-place.ts";
import { parseCompactArguments } from "../../../../processor/commands/compact/arguments.ts";
import { compactLake, type Compacted } from "../../../../processor/commands/compact/compact.ts";
import { S3StandIn } from "../../../support/s3-standin.ts";

const NOW = Date.UTC(2026, 0, 2, 12, 30);
const HOURS = ["dt=2026-01-01/hour=23", "dt=2026-01-02/hour=10"];
const FILES = 3;
const ROWS = 4;
const variables = ["AWS_ENDPOINT_URL_S3", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];
/** Ids in order: three files of four rows in each of two hours. */
const ids = HOURS.flatMap((_, h) =>
  Array.from({ length: FILES * ROWS }, (__, i) => `${h}/${Math.floor(i / ROWS)}/${i % ROWS}`),
);

let folder: string;
/** What Firehose has written. */
const written = new Map<string, Buffer>();
const objects = new Map<string, Buffer>();
const listedBytes = new Map<string, number>();
const standIn = new S3StandIn("lake", objects, listedBytes);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "millrace-compact-test-"));
  const writer = await ParquetWriter.create();
  const put = async (table: "raw" | "sessions", hour: string, name: string, rows: readonly string[]): Promise<void> => {
    const target = join(folder, "file.parquet");
    const lines = rows.map((id) => JSON.stringify({ id }));
    await writer.write(tables[table], lines, join(folder, "scratch"), target);
    written.set(`tables/${table}/${hour}/${name}.parquet`, readFileSync(target));
  };
  for (const [h, hour] of HOURS.entries())
    for (let file = 0; file < FILES; file++)
      await put(
        "raw",
        hour,
        `firehose-${file}`,
        ids.filter((id) => id.startsWith(`${h}/${file}/`)),
      );
  await put("sessions", HOURS[0]!, "firehose-0", ["one"]);
  writer.close();
  process.env["AWS_ENDPOINT_URL_S3"] = await standIn.listen();
  process.env["AWS_ACCESS_KEY_ID"] = "id";
  process.env["AWS_SECRET_ACCESS_KEY"] = "secret";
});
afterAll(async () => {
  for (const name of variables) delete process.env[name];
  await standIn.close();
  rmSync(folder, { recursive: true });
});
beforeEach(() => reset());
afterEach(() => {
  standIn.onRequest = () => true;
  standIn.onFetched = () => undefined;
});

function reset(): void {
  objects.clear();
  for (const [key, bytes] of written) objects.set(key, bytes);
  listedBytes.clear();
  standIn.writtenMs = NOW - 2 * HOUR;
}

/** A run, which takes no time. */
async function run(now: number, days = 2): Promise<Compacted> {
  standIn.putMs = now;
  return await compactLake(s3Place("s3://lake/tables", "us-east-1")!, { days, now: () => now });
}

const filesOf = (beginning: string): string[] =>
  [...objects.keys()].filter((key) => key.startsWith(`tables/${beginning}`)).toSorted();

/** Ids in `raw`, and in the view that has each once, as a reader of the bucket finds them. */
async function read(): Promise<{ ids: string[]; exact: string[] }> {
  const dir = mkdtempSync(join(folder, "copy-"));
  for (const [key, bytes] of objects) {
    mkdirSync(join(dir, dirname(key)), { recursive: true });
    writeFileSync(join(dir, key), bytes);
  }
  const lake = await openLake(join(dir, "tables"));
  const idsOf = async (view: string): Promise<string[]> =>
    (await lake.runAndReadAll(`SELECT id FROM ${view} ORDER BY id`)).getRows().map(([id]) => String(id));
  const found = { ids: await idsOf("raw"), exact: await idsOf("raw_exact") };
  lake.closeSync();
  rmSync(dir, { recursive: true });
  return found;
}

test("small files of an hour become one, and go when no query can still read them", async () => {
  expect(await run(NOW)).toEqual({ merged: 2, sources: 6, deleted: 0, undone: 0 });
  // https://docs.aws.amazon.com/athena/latest/ug/service-limits.html: a query ends after 30 minutes.
  expect(await run(NOW + 49 * MINUTE)).toEqual({ merged: 0, sources: 0, deleted: 0, undone: 0 });
  for (const key of written.keys()) expect(objects.has(key)).toBe(true);
  const between = await read();
  expect(between.exact).toEqual(ids);
  expect(between.ids).toHaveLength(2 * ids.length);
  expect(await run(NOW + HOUR)).toEqual({ merged: 0, sources: 0, deleted: 6, undone: 0 });
  expect(await read()).toEqual({ ids, exact: ids });
  for (const hour of HOURS) expect(filesOf(`raw/${hour}`)).toEqual([expect.stringMatching(/merged-[0-9a-f]{32}/)]);
  expect(filesOf("sessions")).toEqual([`tables/sessions/${HOURS[0]}/firehose-0.parquet`]);
  expect(filesOf("compaction")).toEqual([]);
});

test("an hour that still gets files, a day that is not asked for, and large files are left", async () => {
  standIn.writtenMs = NOW - 59 * MINUTE;
  expect(await run(NOW)).toMatchObject({ merged: 0 });
  standIn.writtenMs = NOW - 60 * MINUTE;
  expect(await run(NOW, 1)).toMatchObject({ merged: 1, sources: 3 });
  expect(filesOf(`raw/${HOURS[0]}`)).toHaveLength(3);
  reset();
  // Firehose's buffer of 128 MiB gives such files; 64 MiB are large.
  listedBytes.set(`tables/raw/${HOURS[0]}/firehose-1.parquet`, 64 * 2 ** 20);
  expect(await run(NOW)).toMatchObject({ merged: 2, sources: 5 });
});

test("a later file of the hour is joined with the merged one", async () => {
  await run(NOW);
  await run(NOW + HOUR);
  const late = `tables/raw/${HOURS[0]}/late.parquet`;
  objects.set(late, written.get(`tables/raw/${HOURS[1]}/firehose-0.parquet`)!);
  expect(await run(NOW + 3 * HOUR)).toMatchObject({ merged: 1, sources: 2 });
  expect(await run(NOW + 4 * HOUR)).toMatchObject({ deleted: 2 });
  expect((await read()).ids).toHaveLength(ids.length + ROWS);
});

test("what is killed before any of its writes loses nothing, and the next runs finish", async () => {
  let writes = 0;
  standIn.onRequest = (method) => (method === "GET" || writes++, true);
  await run(NOW);
  await run(NOW + HOUR);
  const all = writes;
  // Two notes, two files, and their deletion with six sources.
  expect(all).toBe(12);
  for (let killedAt = 0; killedAt < all; killedAt++) {
    reset();
    writes = 0;
    standIn.onRequest = (method) => (method === "GET" ? writes <= killedAt : writes++ < killedAt);
    let now = NOW;
    // The first run dies at one of its writes, or the second does.
    await run(now).catch(() => undefined);
    expect([killedAt, (await read()).exact]).toEqual([killedAt, ids]);
    await run((now += HOUR)).catch(() => undefined);
    expect([killedAt, (await read()).exact]).toEqual([killedAt, ids]);
    standIn.onRequest = () => true;
    for (let i = 0; i < 3; i++) await run((now += HOUR));
    expect([killedAt, (await read()).ids]).toEqual([killedAt, ids]);
    expect([killedAt, filesOf("raw").length, filesOf("compaction")]).toEqual([killedAt, 2, []]);
  }
}, 240_000);

test("a file that somebody writes again is not lost: the merged one goes, and is made anew", async () => {
  const rewritten = `tables/raw/${HOURS[0]}/firehose-1.parquet`;
  const fewer = written.get(`tables/raw/${HOURS[0]}/firehose-0.parquet`)!;
  await run(NOW);
  objects.set(rewritten, fewer);
  expect(await run(NOW + HOUR)).toMatchObject({ deleted: 3, undone: 1, merged: 1, sources: 3 });
  expect((await read()).exact).toEqual(ids.filter((id) => !id.startsWith("0/1/")));
  await run(NOW + 2 * HOUR);
  expect((await read()).exact).toEqual(ids.filter((id) => !id.startsWith("0/1/")));
  expect(filesOf("raw")).toHaveLength(2);
});

test("a file that somebody writes again while it is joined leaves nothing joined", async () => {
  const rewritten = `tables/raw/${HOURS[0]}/firehose-0.parquet`;
  const other = written.get(`tables/raw/${HOURS[0]}/firehose-1.parquet`)!;
  standIn.onFetched = (key) => {
    if (key === `tables/raw/${HOURS[0]}/firehose-2.parquet`) objects.set(rewritten, other);
  };
  expect(await run(NOW)).toMatchObject({ merged: 1, sources: 3 });
  expect(filesOf(`raw/${HOURS[0]}`)).toHaveLength(3);
  expect(filesOf("compaction")).toHaveLength(1);
});

test("the lake is one in S3", () => {
  expect(parseCompactArguments(["--lake", "s3://b/tables"])).toEqual({ lake: "s3://b/tables", days: 2 });
  expect(() => parseCompactArguments([])).toThrow("--lake is missing");
  expect(() => parseCompactArguments(["--lake", "x", "--days", "0"])).toThrow(/--lake is "x"; s3:.*\n?.*|--days/);
});
