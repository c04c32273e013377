import { MillraceError } from "../../../domain/errors.ts";
import { modelManifest, type ModelManifest, type ModelReference } from "../../../domain/models.ts";
import type { ModelFiles } from "../../adapters/model-files.ts";

// What is read of a store of models, without what runs them: functions on AWS can't.

/** A model version in the store. */
export interface StoredModel {
  readonly name: string;
  readonly version: string;
  /** `unreadable`: its manifest is missing or invalid. */
  readonly stage: ModelManifest["stage"] | "unreadable";
  /** Empty where the manifest can't be read. */
  readonly sha256: string;
}

/** Live versions of a model, oldest first: what `rollback` goes back to. */
type History = readonly ModelReference[];

export async function storedModels(files: ModelFiles): Promise<StoredModel[]> {
  const models: StoredModel[] = [];
  for (const name of await files.folders("")) {
    for (const version of await files.folders(name)) {
      const manifest = await readManifest(files, name, version);
      const { stage, sha256 } = manifest ?? { stage: "unreadable" as const, sha256: "" };
      models.push({ name, version, stage, sha256 });
    }
  }
  return models;
}

/** The version that was live before the newest one. @throws MillraceError `model-refused` when there is none. */
export async function previousLive(files: ModelFiles, name: string): Promise<ModelReference> {
  const history = await readHistory(files, name);
  const previous = history.findLast(({ sha256 }) => sha256 !== history.at(-1)!.sha256);
  if (!previous)
    throw new MillraceError(
      "model-refused",
      `model ${name} has had ${history.length} live version${history.length === 1 ? "" : "s"}: ` +
        "there is none to go back to",
    );
  return previous;
}

export async function readHistory(files: ModelFiles, name: string): Promise<History> {
  const file = await files.read(`${name}/history.json`);
  return file ? (JSON.parse(text(file)) as History) : [];
}

/** Null when it is missing or invalid: such a model must not keep others from being promoted. */
export async function readManifest(files: ModelFiles, name: string, version: string): Promise<ModelManifest | null> {
  const file = await files.read(`${name}/${version}/manifest.json`);
  if (file === null) return null;
  try {
    return modelManifest.parse(JSON.parse(text(file)));
  } catch {
    return null;
  }
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("utf8");
}
