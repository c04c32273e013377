import { MillraceError } from "../../../domain/errors.ts";
import { type ModelControl, modelManifest, type ModelManifest, type ModelReference } from "../../../domain/models.ts";
import { loadModel, type ModelFiles } from "../../adapters/model-store.ts";
import { externalFiles } from "../../adapters/onnx-header.ts";
import type { Model } from "../../inference/model.ts";

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

/** The models in a store, `<name>/<version>/…`, and what was done with them. */
export class ModelRegistry {
  readonly #files: ModelFiles;

  constructor(files: ModelFiles) {
    this.#files = files;
  }

  async list(): Promise<StoredModel[]> {
    const models: StoredModel[] = [];
    for (const name of await this.#files.folders("")) {
      for (const version of await this.#files.folders(name)) {
        const manifest = await this.#readManifest(name, version);
        const { stage, sha256 } = manifest ?? { stage: "unreadable" as const, sha256: "" };
        models.push({ name, version, stage, sha256 });
      }
    }
    return models;
  }

  /** @throws MillraceError `model-refused` with what is wrong. */
  verify(name: string, version: string): Promise<Model> {
    return loadModel(this.#files, `${name}/${version}`);
  }

  /**
   * Takes in the files of a model, when they pass every check: a new one as a candidate; of one that is there, files
   * that were lost are there again.
   *
   * @throws MillraceError `model-refused`
   */
  async take(from: ModelFiles): Promise<Model> {
    const model = await loadModel(from, ".");
    const { name, version, sha256 } = model.reference;
    const existing = await this.#readManifest(name, version);
    if (existing && existing.sha256 !== sha256)
      throw new MillraceError(
        "model-refused",
        `model ${name} ${version} is there already with another hash: give the new one a version of its own`,
      );
    const { file, probe } = model.manifest;
    for (const each of [file, ...externalFiles((await from.read(`./${file}`))!), probe])
      await this.#files.write(`${name}/${version}/${each}`, (await from.read(`./${each}`))!);
    await this.#writeManifest({ ...model.manifest, stage: existing?.stage ?? "candidate" });
    return model;
  }

  /**
   * Checks a version and gives the control record that puts it into a stage. Call `record` once it is appended.
   *
   * @throws MillraceError `model-refused`
   */
  async control(name: string, version: string, stage: ModelControl["stage"], share?: number): Promise<ModelControl> {
    const model = (await this.verify(name, version)).reference;
    return stage === "canary" ? { stage, model, share: share! } : { stage, model };
  }

  /** Notes what a control record has done: stages, and the history of live versions. */
  async record(control: ModelControl): Promise<void> {
    const { stage } = control;
    for (const other of await this.list()) {
      const { name, version } = other;
      const next = stageAfter(control, other);
      const manifest = next === other.stage ? null : await this.#readManifest(name, version);
      if (manifest && next !== "unreadable") await this.#writeManifest({ ...manifest, stage: next });
    }
    if (stage !== "live") return;
    const { model } = control;
    const history = await this.#history(model.name);
    if (history.at(-1)?.sha256 !== model.sha256)
      await this.#files.write(`${model.name}/history.json`, JSON.stringify([...history, model], null, 1));
  }

  /** The version that was live before the newest one. @throws MillraceError `model-refused` when there is none. */
  async previousLive(name: string): Promise<ModelReference> {
    const history = await this.#history(name);
    const previous = history.findLast(({ sha256 }) => sha256 !== history.at(-1)!.sha256);
    if (!previous)
      throw new MillraceError(
        "model-refused",
        `model ${name} has had ${history.length} live version${history.length === 1 ? "" : "s"}: ` +
          "there is none to go back to",
      );
    return previous;
  }

  async #history(name: string): Promise<History> {
    const file = await this.#files.read(`${name}/history.json`);
    return file ? (JSON.parse(text(file)) as History) : [];
  }

  /** Null when it is missing or invalid: such a model must not keep others from being promoted. */
  async #readManifest(name: string, version: string): Promise<ModelManifest | null> {
    const file = await this.#files.read(`${name}/${version}/manifest.json`);
    if (file === null) return null;
    try {
      return modelManifest.parse(JSON.parse(text(file)));
    } catch {
      return null;
    }
  }

  async #writeManifest(manifest: ModelManifest): Promise<void> {
    await this.#files.write(
      `${manifest.name}/${manifest.version}/manifest.json`,
      `${JSON.stringify(manifest, null, 2)}\n`,
    );
  }
}

/** The stage of a model behind a control record. */
function stageAfter(control: ModelControl, { name, version, stage }: StoredModel): StoredModel["stage"] {
  if (stage === "unreadable") return stage;
  if (control.stage === "none") return "candidate";
  const isIt = name === control.model.name && version === control.model.version;
  if (isIt) return control.stage === "off" ? "candidate" : control.stage;
  return control.stage === "live" ? "candidate" : stage;
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("utf8");
}
