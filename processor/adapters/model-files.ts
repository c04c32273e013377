import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { GetObjectCommand, ListObjectsV2Command, NoSuchKey, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";

/** The files of a model store: a folder, or a prefix in S3. Paths are relative to it, with `/`. */
export interface ModelFiles {
  /** As the operator wrote it. */
  readonly place: string;
  /** Null when there is no such file. */
  read(path: string): Promise<Uint8Array | null>;
  write(path: string, bytes: Uint8Array | string): Promise<void>;
  /** Names of the folders directly in a folder. */
  folders(path: string): Promise<string[]>;
}

/** @param source A folder, or a prefix in S3 (`s3://bucket/prefix`). */
export function modelFiles(source: string, region: string): ModelFiles {
  const s3 = /^s3:\/\/([^/]+)\/?(.*)$/.exec(source);
  return s3 ? s3Files(source, s3[1]!, s3[2]!.replace(/\/$/, ""), new S3Client({ region })) : folderFiles(source);
}

function folderFiles(folder: string): ModelFiles {
  return {
    place: folder,
    read: (path) =>
      readFile(join(folder, path)).catch((error: unknown) => {
        if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
        throw error;
      }),
    write: async (path, bytes) => {
      await mkdir(dirname(join(folder, path)), { recursive: true });
      await writeFile(join(folder, path), bytes);
    },
    folders: async (path) => {
      const entries = await readdir(join(folder, path), { withFileTypes: true }).catch((error: unknown) => {
        if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
        throw error;
      });
      return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
    },
  };
}

function s3Files(place: string, bucket: string, prefix: string, client: S3Client): ModelFiles {
  const key = (path: string): string => [prefix, path].filter((part) => part !== "").join("/");
  return {
    place,
    read: async (path) => {
      try {
        const object = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key(path) }));
        return await object.Body!.transformToByteArray();
      } catch (error) {
        if (error instanceof NoSuchKey) return null;
        throw error;
      }
    },
    write: async (path, bytes) =>
      void (await client.send(new PutObjectCommand({ Bucket: bucket, Key: key(path), Body: bytes }))),
    folders: async (path) => {
      const folder = key(path) === "" ? "" : `${key(path)}/`;
      const listing = await client.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: folder, Delimiter: "/" }));
      return (listing.CommonPrefixes ?? []).map(({ Prefix }) => Prefix!.slice(folder.length, -1));
    },
  };
}
