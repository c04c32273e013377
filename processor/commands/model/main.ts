import { join } from "node:path";
import { withConnectionOptions } from "../../../adapters/command-line.ts";
import { makeChange } from "../../../adapters/control-records.ts";
import { createKafka } from "../../../adapters/kafka.ts";
import { runCommand } from "../../../adapters/run-command.ts";
import { readSettings, type Settings } from "../../../config/settings.ts";
import { MillraceError } from "../../../domain/errors.ts";
import type { ModelControl } from "../../../domain/models.ts";
import { pipelines } from "../../../domain/pipelines.ts";
import { type ControlType, controlTypes, topics } from "../../../domain/topics.ts";
import { type ModelFiles, modelFiles } from "../../adapters/model-store.ts";
import { parseModelArguments, type ModelCommand } from "./arguments.ts";
import { readMlflow, type ImportedModel } from "./mlflow.ts";
import { ModelRegistry } from "./registry.ts";

const LOCAL_STORE = join(import.meta.dirname, "..", "..", "..", ".millrace", "models");

async function main(args: readonly string[]): Promise<void> {
  const { command, source, brokers } = parseModelArguments(args);
  const settings = readSettings("processor", withConnectionOptions(process.env, { brokers }));
  const takes: readonly ControlType[] = pipelines[settings.pipeline].controls;
  if (!takes.includes(controlTypes.model)) {
    const problem = `PIPELINE is ${settings.pipeline}, which takes no model records`;
    throw new MillraceError("config-invalid", `${problem}: a pipeline with models is expected`);
  }
  const store = modelFiles(source ?? settings.modelSource ?? LOCAL_STORE, settings.region);
  for (const line of await run(command, new ModelRegistry(store), store.place, settings)) console.log(line);
}

/** Carries a command out and gives the lines that say what it did. */
async function run(
  command: ModelCommand,
  registry: ModelRegistry,
  store: string,
  settings: Settings<"processor">,
): Promise<string[]> {
  const apply = (control: ModelControl): Promise<string[]> => applyControl(control, registry, settings);
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
): Promise<string[]> {
  const kafka = createKafka(connection, "millrace-model");
  const topic = topics[pipelines[pipeline].input].name;
  const { partitions } = await makeChange(kafka, { topic, type: controlTypes.model, value: JSON.stringify(control) });
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

await runCommand(main);
