/** @jest-environment ./test/support/onnx-environment.mjs */
import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { MODEL_HEADER, type ModelControl, type ModelReference } from "../../../domain/models.ts";
import { defaultSemantics } from "../../../domain/semantics.ts";
import { controlTypes, headers, topics } from "../../../domain/topics.ts";
import { sensorMachineFactory } from "../../../processor/adapters/machine-factory.ts";
import { modelFiles } from "../../../processor/adapters/model-files.ts";
import { ModelStore } from "../../../processor/adapters/model-store.ts";
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

/** `restart`: the next process has loaded no model yet. */
function driverOf(): {
  driver: PipelineDriver;
  refused: string[];
  heard: string[];
  fed: Float32Array[];
  restart: () => Promise<void>;
} {
  const refused: string[] = [];
  const heard: string[] = [];
  const fed: Float32Array[] = [];
  let store = new ModelStore(modelFiles(folder.path, "local"));
  const scoring = {
    source: { load: (reference: ModelReference) => store.load(reference) },
    refused: (_reference: unknown, reason: string) => {
      refused.push(reason);
      heard.push("refused");
    },
    switched: () => heard.push("switched"),
    fed: (_model: unknown, readings: Float32Array) => fed.push(readings),
  };
  const driver = new PipelineDriver(sensorMachineFactory(defaultSemantics, scoring));
  const restart = async (): Promise<void> => {
    driver.crash();
    store = new ModelStore(modelFiles(folder.path, "local"));
    await driver.restore();
  };
  return { driver, refused, heard, fed, restart };
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
    expect(driver.deadLetters()).toMatchObject([{ code: "model-refused", offset: 11, value: null }]);
  });

  test("until a control record is taken: a rollback, or none", async () => {
    const [good, gone] = [folder.add("1"), folder.add("2")];
    rmSync(join(folder.path, "activity", "2"), { recursive: true });
    const { driver, heard } = driverOf();
    for (const model of [good, gone, good]) await control(driver, { stage: "live", model });
    await control(driver, { stage: "none" });
    await publish(driver, 0);
    expect(heard).toEqual(["switched", "refused", "switched", "switched"]);
  });

  test("for good: the next owner refuses it too, though the store has it by then", async () => {
    const [good, bad] = [folder.add("1"), folder.add("2")];
    const hidden = join(folder.path, "2");
    const place = join(folder.path, "activity", "2");
    renameSync(place, hidden);
    const { driver, refused, restart } = driverOf();
    await control(driver, { stage: "live", model: good });
    await publish(driver, 0);
    await control(driver, { stage: "live", model: bad });
    await publish(driver, 10);
    renameSync(hidden, place);
    await restart(); // compares every output with what was written
    await publish(driver, 20);
    expect(refused).toHaveLength(1);
    expect(versions(driver)).toEqual(["1"]);
    expect(driver.deadLetters()).toHaveLength(1);
  });
});

describe("a model that was live and whose files are gone", () => {
  /** What a sensor's hops were labelled, in order, null for none; how often in a row. */
  const labels = (driver: PipelineDriver): (string | null)[] =>
    driver.outputs(topics.inference.name).map(({ value }) => value["label"] as string | null);

  test("has hops without labels until another one is promoted, or none", async () => {
    const [lost, other] = [folder.add("1"), folder.add("2")];
    const { driver, refused, restart } = driverOf();
    await control(driver, { stage: "live", model: lost });
    await publish(driver, 0);
    await driver.snapshot();
    const before = labels(driver).length;
    expect(labels(driver)).not.toContain(null);

    rmSync(join(folder.path, "activity", "1"), { recursive: true });
    await restart();
    expect(refused).toEqual([expect.stringMatching(/activity\/1: manifest\.json is missing/)]);
    await publish(driver, 10);
    const without = labels(driver).slice(before);
    expect(without).toHaveLength(8); // two seconds of hops of 250 ms
    expect(new Set(without)).toEqual(new Set([null]));

    await control(driver, { stage: "live", model: other });
    await publish(driver, 20);
    const behind = labels(driver).slice(before + without.length);
    expect(behind.length).toBeGreaterThan(5);
    expect(behind).not.toContain(null);
    await driver.snapshot();

    rmSync(join(folder.path, "activity", "2"), { recursive: true });
    await restart();
    await control(driver, { stage: "none" });
    const all = labels(driver).length;
    await publish(driver, 30);
    expect(labels(driver)).toHaveLength(all);
    await driver.snapshot();
    await restart(); // nothing is missed any more
    expect(refused).toHaveLength(2);
    expect(driver.deadLetters()).toEqual([]);
  });

  test("scores again when its files are back, and has given the same records as if they had been there", async () => {
    const model = folder.add("1");
    const place = join(folder.path, "activity", "1");
    const { driver, restart } = driverOf();
    await control(driver, { stage: "live", model });
    await publish(driver, 0);
    await driver.snapshot();
    renameSync(place, join(folder.path, "hidden"));
    await restart();
    await publish(driver, 10);
    await driver.snapshot();
    renameSync(join(folder.path, "hidden"), place);
    await restart();
    await publish(driver, 20);
    expect(labels(driver).at(-1)).not.toBeNull();

    const undisturbed = driverOf().driver;
    await control(undisturbed, { stage: "live", model });
    for (const seq of [0, 10, 20]) await publish(undisturbed, seq);
    const ids = (of: PipelineDriver): unknown[] =>
      of.outputs(topics.inference.name).map(({ value }) => [value["id"], value["window"]]);
    expect(ids(driver)).toEqual(ids(undisturbed));
  });
});

describe("a model store that does not answer", () => {
  test("is asked again, and the model is neither refused nor forgotten", async () => {
    const model = folder.add("1");
    const files = modelFiles(folder.path, "local");
    let failing = 2;
    const read = (path: string): ReturnType<typeof files.read> =>
      failing-- > 0 ? Promise.reject(new Error("the store is away")) : files.read(path);
    expect((await new ModelStore({ ...files, read }, [0, 0]).load(model)).reference).toEqual(model);
    failing = 3;
    const store = new ModelStore({ ...files, read }, [0, 0]);
    await expect(store.load(model)).rejects.toThrow("the store is away");
    expect((await store.load(model)).reference).toEqual(model);
  });
});

test("each hop that a model gets is told, as the model gets it", async () => {
  const { driver, fed } = driverOf();
  await control(driver, { stage: "live", model: folder.add("1") });
  await publish(driver, 0);
  // 1.98 s of readings end seven hops of 250 ms, with ten rows each.
  expect(fed).toHaveLength(7);
  for (const readings of fed)
    expect([...readings]).toEqual(Array.from({ length: 10 }, () => [0.1, 0.2, 9.8, 0, 0, 0].map(Math.fround)).flat());
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
