/** @jest-environment ./test/support/onnx-environment.mjs */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { modelFiles } from "../../../../processor/adapters/model-files.ts";
import { ModelRegistry } from "../../../../processor/commands/model/registry.ts";
import { ModelFolder, sameModelOtherBytes, SHIPPED } from "../../inference/model-folder.ts";

let folder: ModelFolder;
beforeEach(() => void (folder = new ModelFolder()));
afterEach(() => folder.remove());

test("the registry imports a model, promotes it, and finds the version that was live before", async () => {
  const registry = new ModelRegistry(modelFiles(folder.path, "local"));
  const { name, version } = (await registry.take(modelFiles(SHIPPED, "local"))).reference;
  await registry.record(await registry.control(name, version, "live"));
  folder.add("next", sameModelOtherBytes);
  await registry.record(await registry.control(name, "next", "live"));
  expect((await registry.list()).map((model) => [model.version, model.stage])).toEqual(
    expect.arrayContaining([
      [version, "candidate"],
      ["next", "live"],
    ]),
  );
  expect((await registry.previousLive(name)).version).toBe(version);
});

test("a model whose files are gone keeps no other from being promoted, and `none` takes all stages away", async () => {
  const registry = new ModelRegistry(modelFiles(folder.path, "local"));
  folder.add("1");
  folder.add("2", sameModelOtherBytes);
  await registry.record(await registry.control("activity", "1", "live"));
  rmSync(join(folder.path, "activity", "1", "manifest.json"));
  await registry.record(await registry.control("activity", "2", "live"));
  const stages = async (): Promise<Record<string, string>> =>
    Object.fromEntries((await registry.list()).map(({ version, stage }) => [version, stage]));
  expect(await stages()).toEqual({ 1: "unreadable", 2: "live" });
  await registry.record({ stage: "none" });
  expect(await stages()).toEqual({ 1: "unreadable", 2: "candidate" });
});

test("an import of a model that has lost files puts them back", async () => {
  const registry = new ModelRegistry(modelFiles(folder.path, "local"));
  const { name, version } = (await registry.take(modelFiles(SHIPPED, "local"))).reference;
  await registry.record(await registry.control(name, version, "live"));
  rmSync(join(folder.path, name, version, "model.onnx"));
  await expect(registry.verify(name, version)).rejects.toMatchObject({ code: "model-refused" });
  await registry.take(modelFiles(SHIPPED, "local"));
  await registry.verify(name, version);
  expect((await registry.list())[0]).toMatchObject({ version, stage: "live" });
});
