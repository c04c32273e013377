/** @jest-environment ./test/support/onnx-environment.mjs */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { modelFiles } from "../../../processor/adapters/model-files.ts";
import { loadModel, ModelStore } from "../../../processor/adapters/model-store.ts";
import { ModelRegistry } from "../../../processor/commands/model/registry.ts";
import { DATA_FILE, withExternalData } from "../inference/external-data.ts";
import { ModelFolder, SHIPPED, type Change } from "../inference/model-folder.ts";

let folder: ModelFolder;
let cwd: string;
beforeEach(() => {
  folder = new ModelFolder();
  cwd = process.cwd();
});
afterEach(() => {
  process.chdir(cwd);
  folder.remove();
});

/** Changes one byte in the middle of a file. */
function damage(path: string): void {
  const bytes = readFileSync(path);
  const middle = bytes.length >> 1;
  bytes[middle] = bytes[middle]! ^ 1;
  writeFileSync(path, bytes);
}

test("a model with its weights in a second file scores as the one with all in one file", async () => {
  const reference = folder.add("split", withExternalData);
  const split = await new ModelStore(modelFiles(folder.path, "local")).load(reference);
  const whole = await loadModel(modelFiles(SHIPPED, "local"), ".");
  expect(readFileSync(join(folder.path, "activity", "split", DATA_FILE)).length).toBeGreaterThan(500_000);
  const readings = Float32Array.from({ length: whole.batch * whole.rows * 6 }, (_, i) => Math.sin(i));
  const scores = await split.run(readings, new Float32Array(split.batch * split.stateSize));
  expect(scores).toEqual(await whole.run(readings, new Float32Array(whole.batch * whole.stateSize)));
});

test("all files of a model are imported, whatever the current folder is", async () => {
  folder.add("split", withExternalData);
  const store = join(folder.path, "store");
  mkdirSync(store);
  process.chdir(store);
  const registry = new ModelRegistry(modelFiles(store, "local"));
  await registry.take(modelFiles(join(folder.path, "activity", "split"), "local"));
  rmSync(join(folder.path, "activity"), { recursive: true });
  expect((await registry.control("activity", "split", "live")).stage).toBe("live");
});

test.each<[string, (path: string) => void, RegExp]>([
  ["is missing", (path) => rmSync(join(path, DATA_FILE)), /model\.onnx\.data is missing/],
  ["has other bytes", (path) => damage(join(path, DATA_FILE)), /and model\.onnx\.data .* have together the SHA-256/],
])("a model whose second file %s is refused with that file's name, from every folder", async (_, change, reason) => {
  const broken: Change = (path, manifest) => {
    withExternalData(path, manifest);
    writeFileSync(join(folder.path, DATA_FILE), readFileSync(join(path, DATA_FILE)));
    change(path);
  };
  folder.add("broken", broken);
  const registry = new ModelRegistry(modelFiles(folder.path, "local"));
  for (const current of [cwd, folder.path, join(folder.path, "activity", "broken")]) {
    process.chdir(current);
    const refusal = { code: "model-refused", message: expect.stringMatching(reason) };
    await expect(registry.verify("activity", "broken")).rejects.toMatchObject(refusal);
    await expect(registry.take(modelFiles(join(folder.path, "activity", "broken"), "local"))).rejects.toMatchObject(
      refusal,
    );
  }
});

test("a model that keeps data in another folder is refused with that name", async () => {
  folder.add("elsewhere", (path, manifest) => {
    withExternalData(path, manifest);
    const file = join(path, manifest.file);
    writeFileSync(
      file,
      Buffer.from(readFileSync(file).toString("latin1").replaceAll(DATA_FILE, "../../onnx.data"), "latin1"),
    );
  });
  const registry = new ModelRegistry(modelFiles(folder.path, "local"));
  await expect(registry.verify("activity", "elsewhere")).rejects.toMatchObject({
    code: "model-refused",
    message: expect.stringContaining('keeps data in "../../onnx.data"'),
  });
});
