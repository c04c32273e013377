/** @jest-environment ./test/support/onnx-environment.mjs */
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { modelFiles } from "../../../../processor/adapters/model-store.ts";
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
