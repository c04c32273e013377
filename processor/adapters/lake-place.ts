import { createWriteStream, existsSync, globSync, statSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import {
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { tables, type TableName } from "../../domain/tables.ts";
import type { EpochMs } from "../../domain/time.ts";

/** S3's answers to a write whose object is another one by now, or none. */
const REPLACED = ["PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey"];

/** A Parquet file of a lake. */
export interface LakeFile {
  /** Below the lake: `<table>/dt=…/hour=…/<name>.parquet`. */
  readonly path: string;
  readonly bytes: number;
  /** When it was written. In S3 an upload in parts has the time at which it began. */
  readonly writtenMs: EpochMs;
}

/** Where a lake's files are. */
export interface LakePlace {
  /** The files of a table. */
  files(table: TableName): Promise<LakeFile[]>;
  /**
   * Lends a file as one on disk.
   *
   * @param use Gets its path. What it resolves with takes the file's place, if it is the path of another one; null
   *   leaves it. The other one is taken away.
   * @returns Whether the file is as `use` wants it: not when somebody else has replaced or deleted it meanwhile.
   */
  edit(file: LakeFile, use: (path: string) => Promise<string | null>): Promise<boolean>;
}

/** @param lake A folder, or the prefix of the tables in S3: `s3://bucket/tables`. */
export function lakePlace(lake: string, region: string): LakePlace {
  return s3Place(lake, region) ?? folderPlace(lake);
}

/** Null when the lake is not in S3. */
export function s3Place(lake: string, region: string): S3Place | null {
  const [, bucket, prefix] = /^s3:\/\/([^/]+)\/?(.*)$/.exec(lake) ?? [];
  if (bucket === undefined || prefix === undefined) return null;
  return new S3Place(new S3Client({ region }), bucket, prefix.replace(/\/$/, ""));
}

function folderPlace(dir: string): LakePlace {
  return {
    files: (table) => {
      const paths = globSync(join(tables[table].name, "dt=*", "hour=*", "*.parquet"), { cwd: dir });
      const files = paths.flatMap((path) => {
        const found = statSync(join(dir, path), { throwIfNoEntry: false });
        return found ? [{ path, bytes: found.size, writtenMs: found.mtimeMs }] : [];
      });
      return Promise.resolve(files);
    },
    edit: async ({ path }, use) => {
      const target = join(dir, path);
      try {
        const edited = await use(target);
        if (edited === null) return true;
        const isThere = existsSync(target);
        await (isThere ? rename(edited, target) : rm(edited));
        return isThere;
      } catch (error) {
        if (existsSync(target)) throw error;
        return false;
      }
    },
  };
}

/** An object of a lake in S3. */
export interface S3File extends LakeFile {
  /** Names the content: another one after each write. */
  readonly tag: string;
}

/** A lake's tables in S3. Objects are edited as copies in the temporary folder. */
export class S3Place implements LakePlace {
  readonly #client: S3Client;
  readonly #bucket: string;
  readonly #prefix: string;

  constructor(client: S3Client, bucket: string, prefix: string) {
    this.#client = client;
    this.#bucket = bucket;
    this.#prefix = prefix;
  }

  get url(): string {
    return `s3://${this.#bucket}/${this.#prefix}`;
  }

  async files(table: TableName): Promise<LakeFile[]> {
    return (await this.list(`${table}/`)).filter(({ path }) => path.endsWith(".parquet"));
  }

  /** The objects whose path begins so. */
  async list(beginning: string): Promise<S3File[]> {
    const above = this.#prefix === "" ? "" : `${this.#prefix}/`;
    const files: S3File[] = [];
    let ContinuationToken: string | undefined;
    do {
      const page = await this.#client.send(
        new ListObjectsV2Command({ Bucket: this.#bucket, Prefix: `${above}${beginning}`, ContinuationToken }),
      );
      for (const { Key: key = "", Size: bytes = 0, LastModified, ETag: tag = "" } of page.Contents ?? [])
        files.push({ path: key.slice(above.length), bytes, writtenMs: LastModified?.getTime() ?? 0, tag });
      ContinuationToken = page.NextContinuationToken;
    } while (ContinuationToken !== undefined);
    return files;
  }

  /** The text of an object. */
  async read(path: string): Promise<string> {
    const { Body } = await this.#client.send(new GetObjectCommand({ Bucket: this.#bucket, Key: this.#key(path) }));
    return Body!.transformToString();
  }

  /** Writes an object. With `isNew` one that is there under this path stays as it is. */
  async write(path: string, body: Uint8Array, { isNew = false } = {}): Promise<void> {
    const command = { Bucket: this.#bucket, Key: this.#key(path), Body: body };
    try {
      await this.#client.send(new PutObjectCommand({ ...command, ...(isNew ? { IfNoneMatch: "*" } : {}) }));
    } catch (error) {
      if (!isNew || (error as Error).name !== "PreconditionFailed") throw error;
    }
  }

  /** Deletes an object, if it is there. */
  async remove(path: string): Promise<void> {
    await this.#client.send(new DeleteObjectCommand({ Bucket: this.#bucket, Key: this.#key(path) }));
  }

  /** Copies a file to a path on disk. @returns The tag of what was copied. */
  async fetch({ path }: Pick<LakeFile, "path">, target: string): Promise<string | undefined> {
    await mkdir(dirname(target), { recursive: true });
    const { Body, ETag } = await this.#client.send(
      new GetObjectCommand({ Bucket: this.#bucket, Key: this.#key(path) }),
    );
    await pipeline(Body as Readable, createWriteStream(target));
    return ETag;
  }

  async edit(file: LakeFile, use: (path: string) => Promise<string | null>): Promise<boolean> {
    const dir = await mkdtemp(join(tmpdir(), "millrace-lake-"));
    try {
      const copy = join(dir, basename(file.path));
      const IfMatch = await this.fetch(file, copy);
      const edited = await use(copy);
      if (edited === null) return true;
      const Key = this.#key(file.path);
      // Firehose's largest buffer bounds a file: 128 MB.
      const Body = await readFile(edited);
      await this.#client.send(new PutObjectCommand({ Bucket: this.#bucket, Key, Body, IfMatch }));
      return true;
    } catch (error) {
      if (REPLACED.includes((error as Error).name)) return false;
      throw error;
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  }

  #key(path: string): string {
    return this.#prefix === "" ? path : `${this.#prefix}/${path}`;
  }
}
