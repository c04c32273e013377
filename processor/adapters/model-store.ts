import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { MillraceError } from "../../domain/errors.ts";
import { modelKey, modelManifest, modelProbe, type ModelManifest, type ModelReference } from "../../domain/models.ts";
import type { Milliseconds } from "../../domain/time.ts";
import type { Model, ModelSource } from "../inference/model.ts";
import { noModels, type ScoringPorts } from "../inference/scoring.ts";
import { type ModelBytes, modelHash, readModelBytes } from "./model-bytes.ts";
import { modelFiles, type ModelFiles } from "./model-files.ts";
import { onnxVersions } from "./onnx-header.ts";
import { createOnnxModel } from "./onnx-model.ts";

/** Models that stay loaded, at most: more than a log has in use at a time. */
export const LOADED_MODELS = 32;

/**
 * Models by name and version, in `<name>/<version>/{manifest.json, model.onnx, probe.json}`. Loads each once while it
 * is in use.
 */
export class ModelStore implements ModelSource {
  readonly #files: ModelFiles;
  readonly #waitsMs: readonly Milliseconds[];
  readonly #loaded = new Map<string, Promise<Model>>();

  /** @param waitsMs Waits before a store that did not answer is asked again. */
  constructor(files: ModelFiles, waitsMs: readonly Milliseconds[] = [250, 1_000, 4_000]) {
    this.#files = files;
    this.#waitsMs = waitsMs;
  }

  load(reference: ModelReference): Promise<Model> {
    const key = modelKey(reference);
    const known = this.#loaded.get(key);
    if (known) {
      this.#loaded.delete(key);
      this.#loaded.set(key, known);
      return known;
    }
    const loading = this.#loadPatiently(reference);
    this.#loaded.set(key, loading);
    // The one that was asked for longest ago goes; a machine that scores by it keeps it.
    if (this.#loaded.size > LOADED_MODELS) this.#loaded.delete(this.#loaded.keys().next().value!);
    loading.catch(() => this.#loaded.delete(key));
    return loading;
  }

  /** A store that does not answer may answer soon. A refusal is an answer. */
  async #loadPatiently(reference: ModelReference): Promise<Model> {
    for (const waitMs of this.#waitsMs) {
      try {
        return await loadModel(this.#files, `${reference.name}/${reference.version}`, reference);
      } catch (error) {
        if (error instanceof MillraceError) throw error;
        await sleep(waitMs);
      }
    }
    return loadModel(this.#files, `${reference.name}/${reference.version}`, reference);
  }
}

/** Where a program finds its models, and what it does about a model that is refused. */
export interface ModelSettings {
  /** Folder, or prefix in S3. Without it every control record that names a model is refused. */
  readonly modelSource?: string | undefined;
  readonly region: string;
}

/** @param heard What hears of models, see `ScoringPorts`. @default nobody does */
export function openModels(
  { modelSource, region }: ModelSettings,
  heard: Partial<Omit<ScoringPorts, "source">> = {},
): ScoringPorts {
  const source = modelSource === undefined ? noModels : new ModelStore(modelFiles(modelSource, region));
  return { source, refused: () => undefined, ...heard };
}

/**
 * Loads the model in a folder and checks it against its manifest and its probe.
 *
 * @param expected The model that a control record names. @default whatever the folder holds
 * @throws MillraceError `model-refused`; what reading throws when the place can't be reached
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
      throw refused(`${name} is invalid: ${problemsOf(error)}`);
    }
  };
  const manifest = await json("manifest.json", modelManifest);
  const wrong = manifestProblem(manifest, expected);
  if (wrong) throw refused(wrong);
  const bytes = await readModelBytes(manifest.file, required, refused);
  const mismatch = bytesProblem(bytes, manifest);
  if (mismatch) throw refused(mismatch);
  return createOnnxModel(bytes, manifest, await json(manifest.probe, modelProbe));
}

function problemsOf(error: unknown): string {
  if (!(error instanceof z.ZodError)) return (error as Error).message;
  return error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`).join("; ");
}

/** What a manifest contradicts: the reference by which it was asked for, or itself. */
function manifestProblem(manifest: ModelManifest, expected?: ModelReference): string | null {
  for (const field of ["name", "version", "sha256"] as const) {
    if (expected && manifest[field] !== expected[field])
      return `its manifest says ${field} ${manifest[field]}; ${expected[field]} is expected`;
  }
  const { rowsPerHop, sampleRateHz, hopMs } = manifest;
  const rows = (sampleRateHz * hopMs) / 1_000;
  return rowsPerHop === rows
    ? null
    : `rowsPerHop is ${rowsPerHop}, but ${sampleRateHz} Hz over ${hopMs} ms are ${rows}`;
}

/** How the bytes of a model differ from what its manifest says of them. */
function bytesProblem(bytes: ModelBytes, { sha256: expected, opset, irVersion }: ModelManifest): string | null {
  const { file, onnx, external } = bytes;
  const sha256 = modelHash(bytes);
  if (sha256 !== expected) {
    const all = [
      `${file} (${onnx.length} bytes)`,
      ...external.map(({ path, data }) => `${path} (${data.length} bytes)`),
    ];
    const has = external.length === 0 ? "has SHA-256" : "have together the SHA-256";
    return `${all.join(" and ")} ${has} ${sha256}; the manifest says ${expected}`;
  }
  const found = onnxVersions(onnx);
  if (found?.opset === opset && found.irVersion === irVersion) return null;
  const versions = found ? `opset ${found.opset} and IR version ${found.irVersion}` : "no readable header";
  return `${file} has ${versions}; the manifest says opset ${opset} and IR version ${irVersion}`;
}
