import { makeChange } from "../../../adapters/control-records.ts";
import { createKafka } from "../../../adapters/kafka.ts";
import type { Settings } from "../../../config/settings.ts";
import type { ModelControl } from "../../../domain/models.ts";
import { pipelines } from "../../../domain/pipelines.ts";
import { controlTypes, topics } from "../../../domain/topics.ts";
import { type ModelFiles, modelFiles } from "../../adapters/model-files.ts";
import type { ModelCommand } from "./arguments.ts";
import { readMlflow, type ImportedModel } from "./mlflow.ts";
import type { ModelRegistry } from "./registry.ts";

/**
 * Carries a command out and gives the lines that say what it did.
 *
 * @param changeId Names the change that it makes, see `makeChange`
 * @throws MillraceError `model-refused` with what is wrong
 */
export async function runModelCommand(
  command: ModelCommand,
  registry: ModelRegistry,
  store: string,
  settings: Settings<"processor">,
  changeId?: string,
): Promise<string[]> {
  const apply = (control: ModelControl): Promise<string[]> => applyControl(control, registry, settings, changeId);
  switch (command.name) {
    case "list":
      return listModels(registry, store);
    case "verify":
      return verify(registry, command.model, command.version);
    case "import":
      return importModel(registry, modelFiles(command.folder, settings.region), store);
    case "promote":
      return apply(await registry.control(command.model, command.version, command.stage, command.share));
    case "promote-none":
      return apply({ stage: "none" });
    case "rollback": {
      const { version } = await registry.previousLive(command.model);
      return apply(await registry.control(command.model, version, "live"));
    }
    case "off":
      return apply(await registry.control(command.model, command.version, "off"));
  }
}

async function listModels(registry: ModelRegistry, store: string): Promise<string[]> {
  const models = await registry.list();
  if (models.length === 0) return [`no models in ${store}`];
  return models.map(({ name, version, stage, sha256 }) => `${name} ${version} ${stage} ${sha256}`);
}

async function verify(registry: ModelRegistry, name: string, version: string): Promise<string[]> {
  const { reference, batch } = await registry.verify(name, version);
  return [`${reference.name} ${reference.version} passes: hash, opset, tensors and probe (batches of ${batch})`];
}

async function importModel(registry: ModelRegistry, files: ModelFiles, store: string): Promise<string[]> {
  const isOwnLayout = (await files.read("manifest.json")) !== null;
  const { reference } = await registry.take(isOwnLayout ? files : inMemory(await readMlflow(files)));
  return [`${reference.name} ${reference.version} is a candidate in ${store}`];
}

/** The log comes first: the registry notes only what the processor will see. */
async function applyControl(
  control: ModelControl,
  registry: ModelRegistry,
  { pipeline, ...connection }: Settings<"processor">,
  changeId: string | undefined,
): Promise<string[]> {
  const kafka = createKafka(connection, "millrace-model");
  const topic = topics[pipelines[pipeline].input].name;
  const change = { topic, type: controlTypes.model, value: JSON.stringify(control) };
  const { partitions } = await makeChange(kafka, change, changeId);
  await registry.record(control);
  const appended = `appended to ${partitions} partitions; the processor switches there`;
  if (control.stage === "none") return [`no model scores: ${appended}`];
  const { name, version } = control.model;
  return [`${name} ${version} is ${control.stage}: ${appended}, if it fits (see its health)`];
}

function inMemory({ manifest, files }: ImportedModel): ModelFiles {
  return {
    place: `MLflow model ${manifest.name}`,
    read: (path) => Promise.resolve(files.get(path.replace(/^\.\//, "")) ?? null),
    write: () => Promise.reject(new Error("read only")),
    folders: () => Promise.resolve([]),
  };
}
