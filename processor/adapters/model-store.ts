import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { GetObjectCommand, ListObjectsV2Command, NoSuchKey, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { z } from "zod";
import { MillraceError } from "../../domain/errors.ts";
import { modelKey, modelManifest, modelProbe, type ModelReference } from "../../domain/models.ts";
import type { Model, ModelSource } from "../inference/model.ts";
import { onnxVersions } from "./onnx-header.ts";
import { createOnnxModel } from "./onnx-model.ts";

/** Files under one place; null when there is no such file. */
export interface ModelFiles {
  /** As the operator wrote it. */
  readonly place: string;
  read(path: string): Promise<Uint8Array | null>;
  write(path: string, bytes: Uint8Array | string): Promise<void>;
  /** Names of the folders directly in a folder. */
  folders(path: string): Promise<string[]>;
}

/** A folder, or a prefix in S3 (`s3://bucket/prefix`). */
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

/** Models by name and version: `<name>/<version>/{manifest.json, model.onnx, probe.json}`. Loaded once. */
export class ModelStore implements ModelSource {
  readonly #files: ModelFiles;
  readonly #loaded = new Map<string, Promise<Model>>();

  constructor(files: ModelFiles) {
    this.#files = files;
  }

  load(reference: ModelReference): Promise<Model> {
    const key = modelKey(reference);
    const known = this.#loaded.get(key);
    if (known) return known;
    const loading = loadModel(this.#files, `${reference.name}/${reference.version}`, reference);
    this.#loaded.set(key, loading);
    loading.catch(() => this.#loaded.delete(key));
    return loading;
  }
}

/**
 * Loads and checks the model in a folder; `expected` is what a control record names.
 *
 * @throws MillraceError `model-refused`; whatever reading throws when the place can't be reached.
 */
export async function loadModel(files: ModelFiles, folder: string, expected?: ModelReference): Promise<Model> {
  const refused = (what: string): MillraceError =>
    new MillraceError("model-refused", `model in ${files.place}/${folder}: ${what}`);
  const required = async (name: string): Promise<Uint8Array> => {
    const bytes = await files.read(`${folder}/${name}`);
    if (bytes === null) throw refused(`${name} is missing`);
    return bytes;
  };
  const json = async <T>(name: string, schema: z.ZodType<T>): Promise<T> => {
    const text = Buffer.from(await required(name)).toString("utf8");
    try {
      return schema.parse(JSON.parse(text));
    } catch (error) {
      throw refused(
        `${name} is not as it should be: ${error instanceof z.ZodError ? error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`).join("; ") : (error as Error).message}`,
      );
    }
  };
  const manifest = await json("manifest.json", modelManifest);
  for (const field of ["name", "version", "sha256"] as const) {
    if (expected && manifest[field] !== expected[field])
      throw refused(`its manifest says ${field} ${manifest[field]}; ${expected[field]} is expected`);
  }
  if (manifest.rowsPerHop !== (manifest.sampleRateHz * manifest.hopMs) / 1_000)
    throw refused(
      `rowsPerHop is ${manifest.rowsPerHop}, but ${manifest.sampleRateHz} Hz over ${manifest.hopMs} ms are ${(manifest.sampleRateHz * manifest.hopMs) / 1_000}`,
    );
  const bytes = await required(manifest.file);
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  if (sha256 !== manifest.sha256)
    throw refused(
      `${manifest.file} (${bytes.length} bytes) has SHA-256 ${sha256}; the manifest says ${manifest.sha256}`,
    );
  const versions = onnxVersions(bytes);
  if (versions?.opset !== manifest.opset || versions.irVersion !== manifest.irVersion)
    throw refused(
      `${manifest.file} has ${versions ? `opset ${versions.opset} and IR version ${versions.irVersion}` : "no readable header"}; the manifest says opset ${manifest.opset} and IR version ${manifest.irVersion}`,
    );
  return createOnnxModel(bytes, manifest, await json(manifest.probe, modelProbe));
}
