import { join } from "node:path";
import { withConnectionOptions } from "../../../adapters/command-line.ts";
import { runCommand } from "../../../adapters/run-command.ts";
import { readSettings } from "../../../config/settings.ts";
import { MillraceError } from "../../../domain/errors.ts";
import { pipelines } from "../../../domain/pipelines.ts";
import { type ControlType, controlTypes } from "../../../domain/topics.ts";
import { modelFiles } from "../../adapters/model-files.ts";
import { parseModelArguments } from "./arguments.ts";
import { ModelRegistry } from "./registry.ts";
import { runModelCommand } from "./run.ts";

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
  for (const line of await runModelCommand(command, new ModelRegistry(store), store.place, settings)) console.log(line);
}

await runCommand(main);
