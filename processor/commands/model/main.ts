import { join } from "node:path";
import { parseArgs } from "node:util";
import { createKafka } from "../../../adapters/kafka.ts";
import { readSettings } from "../../../config/settings.ts";
import { MillraceError } from "../../../domain/errors.ts";
import type { ModelControl } from "../../../domain/models.ts";
import { appendModelControl } from "../../adapters/append-control.ts";
import { type ModelFiles, modelFiles } from "../../adapters/model-store.ts";
import { readMlflow } from "./mlflow.ts";
import { ModelRegistry } from "./registry.ts";

const USAGE = `npm run model -- COMMAND [--source FOLDER|s3://bucket/prefix]
  list                                     what is in the store
  verify NAME VERSION                      checks hash, opset, tensors and probe
  import FOLDER                            takes a model folder, an MLflow model directory or an MLflow run in as a candidate
  promote NAME VERSION [--stage live|shadow|canary] [--share 0.1]
                                           appends a control record to every input partition: it scores from there on
  rollback NAME                            promotes the version that was live before
  off NAME VERSION                         stops its scoring, whatever its stage
The store is MODEL_SOURCE (default .millrace/models), Kafka is KAFKA_BROKERS.`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  strict: false,
  options: {
    source: { type: "string" },
    stage: { type: "string", default: "live" },
    share: { type: "string" },
    brokers: { type: "string" },
  },
});
const settings = readSettings("processor", {
  ...process.env,
  ...(typeof values.brokers === "string" ? { KAFKA_BROKERS: values.brokers } : {}),
});
const source =
  typeof values.source === "string"
    ? values.source
    : (settings.modelSource ?? join(import.meta.dirname, "..", "..", "..", ".millrace", "models"));
const registry = new ModelRegistry(modelFiles(source, settings.region));

function invalid(what: string): MillraceError {
  return new MillraceError("arguments-invalid", `${what}\n${USAGE}`);
}

function named(count: number): string[] {
  const given = positionals.slice(1);
  if (given.length !== count)
    throw invalid(`${positionals[0]} takes ${count} argument${count === 1 ? "" : "s"}; received ${given.length}`);
  return given;
}

async function apply(control: ModelControl): Promise<void> {
  const partitions = await appendModelControl(createKafka(settings, "millrace-model"), settings.environment, control);
  await registry.record(control);
  console.log(
    `${control.model.name} ${control.model.version} is ${control.stage}: appended to ${partitions} partitions; the processor switches there, if it fits (see its health)`,
  );
}

function inMemory({ manifest, files }: Awaited<ReturnType<typeof readMlflow>>): ModelFiles {
  return {
    place: `MLflow model ${manifest.name}`,
    read: (path) => Promise.resolve(files.get(path.replace(/^\.\//, "")) ?? null),
    write: () => Promise.reject(new Error("read only")),
    folders: () => Promise.resolve([]),
  };
}

const commands: Record<string, () => Promise<void>> = {
  list: async () => {
    const models = await registry.list();
    for (const { name, version, stage, sha256 } of models) console.log(`${name} ${version} ${stage} ${sha256}`);
    if (models.length === 0) console.log(`no models in ${source}`);
  },
  verify: async () => {
    const [name, version] = named(2);
    const { reference, batch } = await registry.verify(name!, version!);
    console.log(`${reference.name} ${reference.version} passes: hash, opset, tensors and probe (batches of ${batch})`);
  },
  import: async () => {
    const [folder] = named(1);
    const files = modelFiles(folder!, settings.region);
    const own = (await files.read("manifest.json")) !== null;
    const { reference } = await registry.take(own ? files : inMemory(await readMlflow(files)));
    console.log(`${reference.name} ${reference.version} is a candidate in ${source}`);
  },
  promote: async () => {
    const [name, version] = named(2);
    const { stage } = values;
    const share = Number(values.share);
    if (stage !== "live" && stage !== "shadow" && stage !== "canary")
      throw invalid(`--stage is ${JSON.stringify(stage)}; live, shadow or canary is expected`);
    if (stage === "canary" && !(share > 0 && share <= 1))
      throw invalid(
        `--share is ${JSON.stringify(values.share)}; a canary needs a share of the sensors above 0 and at most 1`,
      );
    await apply(await registry.control(name!, version!, stage, share));
  },
  rollback: async () => {
    const [name] = named(1);
    const { version } = await registry.previousLive(name!);
    await apply(await registry.control(name!, version, "live"));
  },
  off: async () => {
    const [name, version] = named(2);
    await apply(await registry.control(name!, version!, "off"));
  },
};

const command = commands[positionals[0] ?? ""];
try {
  if (!command)
    throw invalid(
      positionals[0] === undefined ? "a command is missing" : `${JSON.stringify(positionals[0])} is no command`,
    );
  await command();
} catch (error) {
  process.stderr.write(
    `${error instanceof MillraceError ? `${error.code}: ${error.message}` : ((error as Error).stack ?? String(error))}\n`,
  );
  process.exitCode = 1;
}
