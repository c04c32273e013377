import { MillraceError } from "../../../domain/errors.ts";
import type { ModelControl, ModelManifest, ModelReference } from "../../../domain/models.ts";
import { type ModelFiles } from "../../adapters/model-files.ts";
import { loadModel } from "../../adapters/model-store.ts";
import { externalFiles } from "../../adapters/onnx-header.ts";
import type { Model } from "../../inference/model.ts";
import { previousLive, readHistory, readManifest, type StoredModel, storedModels } from "./stored-models.ts";

/** The models in a store, `<name>/<version>/…`, and what was done with them. */
export class ModelRegistry {
  readonly #files: ModelFiles;

  constructor(files: ModelFiles) {
    this.#files = files;
  }

  list(): Promise<StoredModel[]> {
    return storedModels(this.#files);
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
    const existing = await readManifest(this.#files, name, version);
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
      const manifest = next === other.stage ? null : await readManifest(this.#files, name, version);
      if (manifest && next !== "unreadable") await this.#writeManifest({ ...manifest, stage: next });
    }
    if (stage !== "live") return;
    const { model } = control;
    const history = await readHistory(this.#files, model.name);
    if (history.at(-1)?.sha256 !== model.sha256)
      await this.#files.write(`${model.name}/history.json`, JSON.stringify([...history, model], null, 1));
  }

  /** The version that was live before the newest one. @throws MillraceError `model-refused` when there is none. */
  previousLive(name: string): Promise<ModelReference> {
    return previousLive(this.#files, name);
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
