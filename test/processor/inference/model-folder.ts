import { createHash } from "node:crypto";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ModelManifest, ModelReference } from "../../../domain/models.ts";

/** The model of this repository. */
export const SHIPPED = join(import.meta.dirname, "..", "..", "..", "models", "activity");

/** Changes the files of a model at a path. */
export type Change = (path: string, manifest: ModelManifest) => void;

/** A model store in a folder of its own. */
export class ModelFolder {
  readonly path = mkdtempSync(join(tmpdir(), "millrace-models-"));

  /** Copies the shipped model into the store as another version, changed by `change`. */
  add(version: string, change: Change = () => undefined): ModelReference {
    const path = join(this.path, "activity", version);
    cpSync(SHIPPED, path, { recursive: true });
    const manifest = { ...readManifest(path), version };
    writeFileSync(join(path, "manifest.json"), JSON.stringify(manifest));
    change(path, manifest);
    const { name, sha256 } = readManifest(path);
    return { name, version, sha256 };
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

export function readManifest(path: string): ModelManifest {
  return JSON.parse(readFileSync(join(path, "manifest.json"), "utf8")) as ModelManifest;
}

/** Rewrites the model's bytes, and their hash in the manifest. */
export function withBytes(rewrite: (bytes: Buffer) => Buffer): Change {
  return (path, manifest) => {
    const bytes = rewrite(readFileSync(join(path, manifest.file)));
    writeFileSync(join(path, manifest.file), bytes);
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    writeFileSync(join(path, "manifest.json"), JSON.stringify({ ...manifest, sha256 }));
  };
}

/** An empty field at the end of the file: other bytes, the same model. */
export const sameModelOtherBytes = withBytes((bytes) => Buffer.concat([bytes, Buffer.from([0x32, 0x00])]));

/** Replaces fields of the manifest. */
export function withManifest(fields: (manifest: ModelManifest) => object): Change {
  return (path, manifest) =>
    writeFileSync(join(path, "manifest.json"), JSON.stringify({ ...manifest, ...fields(manifest) }));
}
