/** @jest-environment ./test/support/onnx-environment.mjs */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { MODEL_HEADER, type ModelControl } from "../../../domain/models.ts";
import { defaultSemantics } from "../../../domain/semantics.ts";
import { controlTypes, headers, topics } from "../../../domain/topics.ts";
import { sensorMachineFactory } from "../../../processor/adapters/machine-factory.ts";
import { modelFiles, ModelStore } from "../../../processor/adapters/model-store.ts";
import { PipelineDriver } from "../../../processor/driver/driver.ts";
import { type Change, ModelFolder, sameModelOtherBytes, withBytes, withManifest } from "./model-folder.ts";

let folder: ModelFolder;
beforeEach(() => void (folder = new ModelFolder()));
afterEach(() => folder.remove());

/** NaN in a thousand weights: such a model loads, and its probabilities are NaN. */
const notFinite = withBytes((bytes) => {
  const changed = Buffer.from(bytes);
  const middle = Math.floor(bytes.length / 8) * 4;
  for (let at = middle; at < middle + 4_000; at += 4) changed.writeFloatLE(NaN, at);
  return changed;
});

const START = 1_657_533_977_000;
/** Two seconds of standing still, as ten messages from sequence number `seq`. */
async function publish(driver: PipelineDriver, seq: number, key = "s1"): Promise<void> {
  for (let i = 0; i < 10; i++) {
    const t = START + (seq + i) * 200;
    await driver.record({
      key,
      timestamp: t + 200,
      value: { seq: seq + i, t, hz: 50, samples: Array.from({ length: 10 }, () => [0.1, 0.2, 9.8, 0, 0, 0]) },
    });
  }
}

async function control(driver: PipelineDriver, command: ModelControl): Promise<void> {
  await driver.record({
    timestamp: START,
    value: null,
    headers: { [headers.type]: controlTypes.model, [MODEL_HEADER]: JSON.stringify(command) },
  });
}

function driverOf(): { driver: PipelineDriver; refused: string[] } {
  const refused: string[] = [];
  const scoring = {
    source: new ModelStore(modelFiles(folder.path, "local")),
    refused: (_reference: unknown, reason: string) => refused.push(reason),
  };
  return { driver: new PipelineDriver(sensorMachineFactory(defaultSemantics, scoring)), refused };
}

const versions = (driver: PipelineDriver): string[] => [
  ...new Set(driver.outputs(topics.inference.name).map(({ value }) => (value["model"] as { version: string }).version)),
];

describe("a model that does not fit is refused, and the one before it continues to score", () => {
  test.each<[string, Change, RegExp]>([
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
    const good = folder.add("1");
    const bad = folder.add("bad", damage);
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

describe("a control record", () => {
  test("switches the live model at its position in the log, also after a crash there", async () => {
    const [one, two] = [folder.add("1"), folder.add("2")];
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

  test("gives a canary its share of the sensors, always the same ones, and the rest to the live model", async () => {
    const one = folder.add("1");
    const two = folder.add("2", sameModelOtherBytes);
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

  test("makes a shadow score beside the live model, and each record says whether the two agree", async () => {
    const one = folder.add("1");
    const two = folder.add("2", sameModelOtherBytes);
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
