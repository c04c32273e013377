/** @jest-environment ./test/support/onnx-environment.mjs */

import { createHash } from "node:crypto";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { stringify } from "yaml";
import { defaultSemantics } from "../../../domain/imu.ts";
import { MODEL_HEADER, type ModelControl, type ModelManifest } from "../../../domain/models.ts";
import { controlTypes, headers, topics } from "../../../domain/topics.ts";
import { sensorMachineFactory } from "../../../processor/adapters/machine-factory.ts";
import { loadModel, modelFiles, ModelStore } from "../../../processor/adapters/model-store.ts";
import { readMlflow } from "../../../processor/commands/model/mlflow.ts";
import { ModelRegistry } from "../../../processor/commands/model/registry.ts";
import { PipelineDriver } from "../../../processor/driver/driver.ts";

const SHIPPED = join(import.meta.dirname, "..", "..", "..", "models", "activity");
let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "millrace-models-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const readManifest = (path: string): ModelManifest =>
  JSON.parse(readFileSync(join(path, "manifest.json"), "utf8")) as ModelManifest;

/** A copy of the shipped model in the store as another version, damaged by `damage`. */
function stored(
  version: string,
  damage: (path: string, manifest: ModelManifest) => void = () => undefined,
): ModelControl["model"] {
  const path = join(folder, "activity", version);
  cpSync(SHIPPED, path, { recursive: true });
  const manifest = { ...readManifest(path), version };
  writeFileSync(join(path, "manifest.json"), JSON.stringify(manifest));
  damage(path, manifest);
  const { name, sha256 } = readManifest(path);
  return { name, version, sha256 };
}

/** Rewrites the model's bytes and the hash in its manifest. */
function withBytes(change: (bytes: Buffer) => Buffer): (path: string, manifest: ModelManifest) => void {
  return (path, manifest) => {
    const bytes = change(readFileSync(join(path, manifest.file)));
    writeFileSync(join(path, manifest.file), bytes);
    writeFileSync(
      join(path, "manifest.json"),
      JSON.stringify({ ...manifest, sha256: createHash("sha256").update(bytes).digest("hex") }),
    );
  };
}

const withManifest =
  (change: (manifest: ModelManifest) => object): ((path: string, manifest: ModelManifest) => void) =>
  (path, manifest) =>
    writeFileSync(join(path, "manifest.json"), JSON.stringify({ ...manifest, ...change(manifest) }));

/** A float32 of a weight somewhere in the middle, made NaN: it loads, and gives NaN. */
const notFinite = withBytes((bytes) => {
  const changed = Buffer.from(bytes);
  const middle = Math.floor(bytes.length / 8) * 4;
  for (let at = middle; at < middle + 4_000; at += 4) changed.writeFloatLE(NaN, at);
  return changed;
});

const t0 = 1_657_533_977_000;
/** Two seconds of standing still, as ten messages from sequence number `seq`. */
async function publish(driver: PipelineDriver, seq: number, key = "s1"): Promise<void> {
  for (let i = 0; i < 10; i++) {
    const t = t0 + (seq + i) * 200;
    await driver.record({
      key,
      timestamp: t + 200,
      value: { seq: seq + i, t, hz: 50, samples: Array.from({ length: 10 }, () => [0.1, 0.2, 9.8, 0, 0, 0]) },
    });
  }
}

async function control(driver: PipelineDriver, command: ModelControl): Promise<void> {
  await driver.record({
    timestamp: t0,
    value: null,
    headers: { [headers.type]: controlTypes.model, [MODEL_HEADER]: JSON.stringify(command) },
  });
}

function driverOf(): { driver: PipelineDriver; refused: string[] } {
  const refused: string[] = [];
  const scoring = {
    source: new ModelStore(modelFiles(folder, "local")),
    refused: (_reference: unknown, reason: string) => refused.push(reason),
  };
  return { driver: new PipelineDriver(sensorMachineFactory(defaultSemantics, scoring)), refused };
}

const versions = (driver: PipelineDriver): string[] => [
  ...new Set(driver.outputs(topics.inference.name).map(({ value }) => (value["model"] as { version: string }).version)),
];

describe("a model that does not fit is refused, and the old one goes on", () => {
  test.each<[string, (path: string, manifest: ModelManifest) => void, RegExp]>([
    [
      "wrong hash",
      (path, { file }) =>
        writeFileSync(join(path, file), Buffer.concat([readFileSync(join(path, file)), Buffer.from([0])])),
      /SHA-256/,
    ],
    ["truncated", withBytes((bytes) => bytes.subarray(0, bytes.length / 2)), /opset|load/],
    [
      "corrupt",
      withBytes((bytes) => Buffer.from(bytes.map((byte, i) => (i % 97 === 0 ? byte ^ 0x5a : byte)))),
      /opset|load|probe|tensors|inputs|outputs|run/,
    ],
    ["not finite", notFinite, /probe|load/],
    [
      "wrong shape",
      withManifest((manifest) => ({ inputs: manifest.inputs.map((input) => ({ ...input, shape: ["batch", 10, 7] })) })),
      /inputs are/,
    ],
    ["wrong opset", withManifest(() => ({ opset: 7 })), /opset/],
    ["missing file", (path, { file }) => rmSync(join(path, file)), /is missing/],
    [
      "no manifest",
      (path) =>
        writeFileSync(join(path, "manifest.json"), JSON.stringify({ name: "activity", version: "bad", sha256: "00" })),
      /manifest/,
    ],
  ])("%s", async (_name, damage, reason) => {
    const good = stored("1");
    const bad = stored("bad", damage);
    const { driver, refused } = driverOf();
    await control(driver, { stage: "live", model: good });
    await publish(driver, 0);
    await control(driver, { stage: "live", model: bad });
    await publish(driver, 10);
    expect(refused).toHaveLength(1);
    expect(refused[0]).toMatch(reason);
    expect(versions(driver)).toEqual(["1"]);
    expect(driver.outputs(topics.inference.name).length).toBeGreaterThan(12);
  });
});

describe("stages", () => {
  test("a task switches at the control record; a crash there changes nothing", async () => {
    const [one, two] = [stored("1"), stored("2")];
    const { driver } = driverOf();
    await control(driver, { stage: "live", model: one });
    await publish(driver, 0);
    await driver.snapshot();
    await control(driver, { stage: "live", model: two });
    driver.crash();
    await driver.restore();
    await publish(driver, 10);
    expect(driver.deadLetters()).toEqual([]);
    expect(versions(driver)).toEqual(["1", "2"]);
  });

  test("a canary scores the same share of the sensors, always the same ones; the rest stay with the live model", async () => {
    const one = stored("1");
    const two = stored(
      "2",
      withBytes((bytes) => Buffer.concat([bytes, Buffer.from([0x32, 0x00])])),
    );
    const { driver, refused } = driverOf();
    await control(driver, { stage: "live", model: one });
    await control(driver, { stage: "canary", model: two, share: 0.25 });
    expect(refused).toEqual([]);
    const keys = Array.from({ length: 40 }, (_, i) => `sensor-${i}`);
    for (const key of keys) await publish(driver, 0, key);
    const byKey = new Map<string, Set<string>>();
    for (const { key, value } of driver.outputs(topics.inference.name))
      byKey.set(key, (byKey.get(key) ?? new Set()).add((value["model"] as { version: string }).version));
    expect([...byKey.values()].every((seen) => seen.size === 1)).toBe(true);
    const canaries = [...byKey.values()].filter((seen) => seen.has("2")).length;
    expect(canaries).toBeGreaterThan(3);
    expect(canaries).toBeLessThan(20);
  });

  test("a shadow scores beside the live model, which says whether they agree", async () => {
    const one = stored("1");
    const two = stored(
      "2",
      withBytes((bytes) => Buffer.concat([bytes, Buffer.from([0x32, 0x00])])),
    );
    const { driver, refused } = driverOf();
    await control(driver, { stage: "live", model: one });
    await control(driver, { stage: "shadow", model: two });
    expect(refused).toEqual([]);
    await publish(driver, 0);
    const records = driver.outputs(topics.inference.name).map(({ value }) => value);
    expect(records.length).toBeGreaterThan(4);
    for (const record of records)
      expect(record).toMatchObject({ model: { version: "1" }, shadow: { model: { version: "2" }, agrees: true } });
  });
});

describe("the registry", () => {
  test("takes in, promotes, and goes back to the version that was live before", async () => {
    const registry = new ModelRegistry(modelFiles(folder, "local"));
    const { name, version } = (await registry.take(modelFiles(SHIPPED, "local"))).reference;
    await registry.record(await registry.control(name, version, "live"));
    stored(
      "next",
      withBytes((bytes) => Buffer.concat([bytes, Buffer.from([0x32, 0x00])])),
    );
    await registry.record(await registry.control(name, "next", "live"));
    expect((await registry.list()).map((model) => [model.version, model.stage])).toEqual(
      expect.arrayContaining([
        [version, "candidate"],
        ["next", "live"],
      ]),
    );
    expect((await registry.previousLive(name)).version).toBe(version);
  });
});

test("an MLflow model directory becomes a model that passes every check", async () => {
  const manifest = readManifest(SHIPPED);
  const tensor = ({ name, shape }: { name: string; shape: (string | number)[] }): object => ({
    name,
    type: "tensor",
    "tensor-spec": { dtype: "float32", shape: shape.map((size) => (typeof size === "string" ? -1 : size)) },
  });
  for (const file of [manifest.file, manifest.probe]) cpSync(join(SHIPPED, file), join(folder, file));
  writeFileSync(
    join(folder, "MLmodel"),
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
  const { manifest: imported, files } = await readMlflow(modelFiles(folder, "local"));
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

test("an MLflow model that does not tell how it is fed is refused with everything that is missing", async () => {
  cpSync(join(SHIPPED, "model.onnx"), join(folder, "model.onnx"));
  writeFileSync(join(folder, "MLmodel"), stringify({ flavors: { onnx: { data: "model.onnx" } } }));
  await expect(readMlflow(modelFiles(folder, "local"))).rejects.toThrow(/millrace\.sampleRateHz.*millrace\.labels/s);
});
