import { createWriteStream } from "node:fs";
import { mkdir, mkdtemp, rm, statfs } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { GetObjectCommand, ListObjectsV2Command, S3Client } from "@aws-sdk/client-s3";
import { MillraceError } from "../../domain/errors.ts";
import type { TableName } from "../../domain/tables.ts";

/** Objects that are fetched at once. */
const AT_ONCE = 8;
/** What is left of the disk for what the command itself writes: sorting, a run's folder. */
const LEFT_SHARE = 0.5;
const MB = 1_000_000;

/** Which tables of which lake a command reads. */
export interface LakeSource {
  /** A folder, or the prefix of the tables in S3: `s3://bucket/tables`. */
  readonly lake: string;
  readonly tables: readonly TableName[];
  readonly region: string;
  readonly report: (sentence: string) => void;
}

/**
 * Lends the folder of a lake. One in S3 is copied, file by file, to a folder that is deleted at the end: nothing can
 * fetch DuckDB's own reader of S3 where there is no internet.
 *
 * @throws MillraceError `arguments-invalid` when the tables take more than half of the disk's free space; whatever S3
 *   throws
 */
export async function withLake<T>(source: LakeSource, use: (dir: string) => Promise<T>): Promise<T> {
  const s3 = /^s3:\/\/([^/]+)\/?(.*)$/.exec(source.lake);
  if (!s3) return use(source.lake);
  const dir = await mkdtemp(join(tmpdir(), "millrace-lake-"));
  try {
    const client = new S3Client({ region: source.region });
    await copyTables(client, { bucket: s3[1]!, prefix: s3[2]!.replace(/\/$/, "") }, source, dir);
    return await use(dir);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

interface Place {
  readonly bucket: string;
  readonly prefix: string;
}
interface LakeFile {
  readonly key: string;
  /** Below the lake's folder. */
  readonly path: string;
  readonly bytes: number;
}

async function copyTables(client: S3Client, place: Place, source: LakeSource, dir: string): Promise<void> {
  const files: LakeFile[] = [];
  for (const table of source.tables) files.push(...(await filesOf(client, place, table)));
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  const { bavail, bsize } = await statfs(dir);
  const free = bavail * bsize;
  if (bytes > free * LEFT_SHARE)
    throw new MillraceError(
      "arguments-invalid",
      `${source.tables.join(", ")} of ${source.lake} have ${inMB(bytes)} MB, and ${dirname(dir)} has ` +
        `${inMB(free)} MB, of which half may be used: ` +
        "run the command where there is more, with a copy of the bucket",
    );
  source.report(`copying ${files.length} files, ${inMB(bytes)} MB, of s3://${place.bucket}/${place.prefix}`);
  const waiting = files.values();
  const fetchNext = async (): Promise<void> => {
    for (const file of waiting) await fetchFile(client, place, file, dir);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, fetchNext));
}

/** The Parquet files of a table. */
async function filesOf(client: S3Client, { bucket, prefix }: Place, table: TableName): Promise<LakeFile[]> {
  const above = prefix === "" ? "" : `${prefix}/`;
  const files: LakeFile[] = [];
  let ContinuationToken: string | undefined;
  do {
    const page = await client.send(
      new ListObjectsV2Command({ Bucket: bucket, Prefix: `${above}${table}/`, ContinuationToken }),
    );
    for (const { Key: key = "", Size: bytes = 0 } of page.Contents ?? [])
      if (key.endsWith(".parquet")) files.push({ key, path: key.slice(above.length), bytes });
    ContinuationToken = page.NextContinuationToken;
  } while (ContinuationToken !== undefined);
  return files;
}

async function fetchFile(client: S3Client, { bucket }: Place, { key, path }: LakeFile, dir: string): Promise<void> {
  const target = join(dir, path);
  await mkdir(dirname(target), { recursive: true });
  const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
  await pipeline(Body as Readable, createWriteStream(target));
}

function inMB(bytes: number): string {
  return (bytes / MB).toFixed(1);
}
