import { MillraceError } from "../../../domain/errors.ts";
import { type ModelControl, modelManifest, type ModelManifest, type ModelReference } from "../../../domain/models.ts";
import { loadModel, type ModelFiles } from "../../adapters/model-store.ts";
import { externalFiles } from "../../adapters/onnx-header.ts";
import type { Model } from "../../inference/model.ts";

/** A model version in the store. */
export interface StoredModel {
  readonly name: string;
  readonly version: string;
  readonly stage: ModelManifest["stage"];
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
        const { stage, sha256 } = await this.#manifest(name, version);
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
   * Takes in the files of a model as a candidate, when they pass every check.
   *
   * @throws MillraceError `model-refused`
   */
  async take(from: ModelFiles): Promise<Model> {
    const model = await loadModel(from, ".");
    const { name, version, sha256 } = model.reference;
    const existing = await this.#files.read(`${name}/${version}/manifest.json`);
    if (existing && modelManifest.parse(JSON.parse(text(existing))).sha256 !== sha256)
      throw new MillraceError(
        "model-refused",
        `model ${name} ${version} is there already with another hash: give the new one a version of its own`,
      );
    if (existing) return model;
    const { file, probe } = model.manifest;
    for (const each of [file, ...externalFiles((await from.read(`./${file}`))!), probe])
      await this.#files.write(`${name}/${version}/${each}`, (await from.read(`./${each}`))!);
    await this.#writeManifest({ ...model.manifest, stage: "candidate" });
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
  async record({ stage, model }: ModelControl): Promise<void> {
    for (const other of await this.list()) {
      const { name, version } = other;
      const isIt = name === model.name && version === model.version;
      const next = isIt ? (stage === "off" ? "candidate" : stage) : stage === "live" ? "candidate" : other.stage;
      if (next !== other.stage) await this.#writeManifest({ ...(await this.#manifest(name, version)), stage: next });
    }
    if (stage !== "live") return;
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

  async #manifest(name: string, version: string): Promise<ModelManifest> {
    const file = await this.#files.read(`${name}/${version}/manifest.json`);
    const parsed = file === null ? null : modelManifest.safeParse(JSON.parse(text(file)));
    if (!parsed?.success)
      throw new MillraceError(
        "model-refused",
        `${this.#files.place}/${name}/${version} has no ${file === null ? "" : "valid "}manifest.json: ` +
          "import the model again, or remove the folder",
      );
    return parsed.data;
  }

  async #writeManifest(manifest: ModelManifest): Promise<void> {
    await this.#files.write(
      `${manifest.name}/${manifest.version}/manifest.json`,
      `${JSON.stringify(manifest, null, 2)}\n`,
    );
  }
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("utf8");
}
