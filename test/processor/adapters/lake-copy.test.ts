import { existsSync, globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { withLake } from "../../../processor/adapters/lake-copy.ts";
import { S3StandIn } from "../../support/s3-standin.ts";
import { commandWith, rowsOf, smallLog, writeRows } from "../commands/backfill/small-lake.ts";

const START = 1_657_533_978_000;

const tables = ["raw", "dead_letters"] as const;
const said: string[] = [];
const source = { tables, region: "us-east-1", report: (sentence: string) => said.push(sentence) };
let standIn: S3StandIn;

/** Starts S3 with a bucket `lake`, and lets the client find it. */
async function start(...of: [Map<string, Buffer>, Map<string, number>?]): Promise<void> {
  standIn = new S3StandIn("lake", ...of);
  process.env["AWS_ENDPOINT_URL_S3"] = await standIn.listen();
  process.env["AWS_ACCESS_KEY_ID"] = "id";
  process.env["AWS_SECRET_ACCESS_KEY"] = "secret";
}

beforeEach(async () => {
  said.length = 0;
  const files = ["raw/dt=2026-01-01/hour=00/a.parquet", "raw/dt=2026-01-01/hour=00/b.parquet"];
  files.push("raw/dt=2026-01-01/hour=01/c.parquet", "dead_letters/dt=2026-01-01/hour=00/d.parquet");
  const others = [
    "raw/dt=2026-01-01/hour=00/unfinished",
    "raw_of_somebody/x.parquet",
    "sessions/dt=x/hour=y/e.parquet",
  ];
  await start(new Map([...files, ...others].map((path) => [`tables/${path}`, Buffer.from(`bytes of ${path}`)])));
});
afterEach(async () => {
  for (const name of ["AWS_ENDPOINT_URL_S3", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]) delete process.env[name];
  await standIn.close();
});

test("the files of the wanted tables are there while they are used, with their bytes, and gone behind it", async () => {
  const seen = await withLake({ ...source, lake: "s3://lake/tables/" }, (dir) => {
    const files = globSync("**/*", { cwd: dir, withFileTypes: true }).filter((entry) => entry.isFile());
    const paths = files.map(({ parentPath, name }) => join(parentPath, name).slice(dir.length + 1)).toSorted();
    for (const path of paths) expect(readFileSync(join(dir, path), "utf8")).toBe(`bytes of ${path}`);
    return Promise.resolve({ dir, paths });
  });
  // Listed in pages of two.
  expect(seen.paths).toEqual([
    "dead_letters/dt=2026-01-01/hour=00/d.parquet",
    "raw/dt=2026-01-01/hour=00/a.parquet",
    "raw/dt=2026-01-01/hour=00/b.parquet",
    "raw/dt=2026-01-01/hour=01/c.parquet",
  ]);
  expect(existsSync(seen.dir)).toBe(false);
  expect(said).toEqual(["copying 4 files, 0.0 MB, of s3://lake/tables"]);
});

test("a copy that fails leaves nothing", async () => {
  const before = globSync(join(tmpdir(), "millrace-lake-*"));
  await expect(withLake({ ...source, lake: "s3://nobodys/tables" }, () => Promise.resolve())).rejects.toThrow(
    "NoSuchBucket",
  );
  expect(globSync(join(tmpdir(), "millrace-lake-*"))).toEqual(before);
});

test("a folder is used as it is", async () => {
  expect(await withLake({ ...source, lake: "some/folder" }, (dir) => Promise.resolve(dir))).toBe("some/folder");
  expect(standIn.fetched).toEqual([]);
});

test("what has no room on the disk is refused before anything is fetched", async () => {
  await standIn.close();
  const key = "tables/raw/dt=2026-01-01/hour=00/a.parquet";
  await start(new Map([[key, Buffer.from("x")]]), new Map([[key, 1e18]]));
  await expect(withLake({ ...source, lake: "s3://lake/tables" }, () => Promise.resolve())).rejects.toThrow(
    /^raw, dead_letters of s3:\/\/lake\/tables have 1000000000000\.0 MB, and .* of which half may be used/,
  );
  expect(standIn.fetched).toEqual([]);
});

test("a replay of a lake in S3 gives what one of its folder gives", async () => {
  const folder = mkdtempSync(join(tmpdir(), "millrace-s3-replay-"));
  try {
    const dir = await writeRows(join(folder, "lake"), rowsOf(smallLog(START), START));
    await standIn.close();
    const paths = globSync("*/dt=*/hour=*/*.parquet", { cwd: dir });
    expect(paths).toHaveLength(1);
    await start(new Map(paths.map((path) => [`tables/${path}`, readFileSync(join(dir, path))])));
    const replay = (lake: string) => commandWith("replay", ["--from-lake", lake], folder, {});
    const [ofFolder, ofS3] = [await replay(dir), await replay("s3://lake/tables")];
    expect(ofS3.stderr).toContain("copying 1 files");
    expect([ofS3.status, ofS3.stdout]).toEqual([0, ofFolder.stdout]);
    expect(ofFolder.stdout).toContain("sensor-data-aggregated");
  } finally {
    rmSync(folder, { recursive: true });
  }
}, 60_000);
