/** @jest-environment ./test/support/onnx-environment.mjs */
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { stringify } from "yaml";
import { modelFiles } from "../../../../processor/adapters/model-files.ts";
import { loadModel } from "../../../../processor/adapters/model-store.ts";
import { readMlflow } from "../../../../processor/commands/model/mlflow.ts";
import { ModelFolder, readManifest, SHIPPED } from "../../inference/model-folder.ts";

let folder: ModelFolder;
beforeEach(() => void (folder = new ModelFolder()));
afterEach(() => folder.remove());

test("an MLflow model directory is imported as a model that passes every check", async () => {
  const manifest = readManifest(SHIPPED);
  const tensor = ({ name, shape }: { name: string; shape: (string | number)[] }): object => ({
    name,
    type: "tensor",
    "tensor-spec": { dtype: "float32", shape: shape.map((size) => (typeof size === "string" ? -1 : size)) },
  });
  for (const file of [manifest.file, manifest.probe]) cpSync(join(SHIPPED, file), join(folder.path, file));
  writeFileSync(
    join(folder.path, "MLmodel"),
    stringify({
      flavors: { onnx: { data: manifest.file, onnx_version: "1.17.0" } },
      signature: {
        inputs: JSON.stringify(manifest.inputs.map(tensor)),
        outputs: JSON.stringify(manifest.outputs.map(tensor)),
      },
      metadata: {
        "millrace.name": "gait",
        "millrace.version": "7",
        "millrace.sampleRateHz": manifest.sampleRateHz,
        "millrace.hopMs": manifest.hopMs,
        "millrace.decisionDelayMs": manifest.decisionDelayMs,
        "millrace.resetGapMs": manifest.resetGapMs,
        "millrace.labels": manifest.labels.join(","),
        "millrace.batchSizes": "16",
        "millrace.stateInput": manifest.state[0]!.input,
        "millrace.stateOutput": manifest.state[0]!.output,
      },
    }),
  );
  const { manifest: imported, files } = await readMlflow(modelFiles(folder.path, "local"));
  const inMemory = {
    place: "memory",
    read: (path: string) => Promise.resolve(files.get(path.replace("./", "")) ?? null),
    write: () => Promise.reject(new Error("read only")),
    folders: () => Promise.resolve([]),
  };
  const model = await loadModel(inMemory, ".");
  expect(model.reference).toEqual({ name: "gait", version: "7", sha256: manifest.sha256 });
  expect(imported.labels).toEqual(manifest.labels);
});

test("a run of a file store is imported, with its tags and the figures of its training set", async () => {
  const manifest = readManifest(SHIPPED);
  const tensor = ({ name, shape }: { name: string; shape: (string | number)[] }): object => ({
    name,
    type: "tensor",
    "tensor-spec": { dtype: "float32", shape: shape.map((size) => (typeof size === "string" ? -1 : size)) },
  });
  const model = join(folder.path, "artifacts", "model");
  mkdirSync(model, { recursive: true });
  mkdirSync(join(folder.path, "tags"));
  for (const file of [manifest.file, manifest.probe]) cpSync(join(SHIPPED, file), join(model, file));
  const described = {
    flavors: { onnx: { data: manifest.file } },
    signature: {
      inputs: JSON.stringify(manifest.inputs.map(tensor)),
      outputs: JSON.stringify(manifest.outputs.map(tensor)),
    },
  };
  writeFileSync(join(model, "MLmodel"), JSON.stringify(described));
  const inputStatistics = { mean: [1, 2, 3, 4, 5, 6], std: [1, 1, 1, 1, 1, 0.5] };
  const tags = {
    name: "gait",
    version: "8",
    sampleRateHz: "40",
    hopMs: "250",
    decisionDelayMs: "250",
    resetGapMs: "2000",
    labels: '["a", "b"]',
    batchSizes: "[1, 4]",
    inputStatistics: JSON.stringify(inputStatistics),
    stateInput: "state",
    stateOutput: "next_state",
  };
  for (const [name, value] of Object.entries(tags)) writeFileSync(join(folder.path, "tags", `millrace.${name}`), value);
  const { manifest: imported } = await readMlflow(modelFiles(folder.path, "local"));
  expect(imported).toMatchObject({
    name: "gait",
    version: "8",
    labels: ["a", "b"],
    batchSizes: [1, 4],
    inputStatistics,
  });
  writeFileSync(join(folder.path, "tags", "millrace.inputStatistics"), '{"mean": [1], "std": [1]}');
  await expect(readMlflow(modelFiles(folder.path, "local"))).rejects.toThrow(/millrace\.inputStatistics/);
});

test("an MLflow model without metadata on its input is refused with everything that is missing", async () => {
  cpSync(join(SHIPPED, "model.onnx"), join(folder.path, "model.onnx"));
  writeFileSync(join(folder.path, "MLmodel"), stringify({ flavors: { onnx: { data: "model.onnx" } } }));
  await expect(readMlflow(modelFiles(folder.path, "local"))).rejects.toThrow(
    /millrace\.sampleRateHz.*millrace\.labels/s,
  );
});
