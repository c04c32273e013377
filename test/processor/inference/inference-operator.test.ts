/** @jest-environment ./test/support/onnx-environment.mjs */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "@jest/globals";
import { MODEL_HEADER } from "../../../domain/models.ts";
import type { InferenceRecord } from "../../../domain/records.ts";
import { defaultSemantics } from "../../../domain/semantics.ts";
import { controlTypes, headers, topics } from "../../../domain/topics.ts";
import { sensorMachineFactory } from "../../../processor/adapters/machine-factory.ts";
import { modelFiles } from "../../../processor/adapters/model-files.ts";
import { loadModel } from "../../../processor/adapters/model-store.ts";
import { PipelineDriver } from "../../../processor/driver/driver.ts";
import type { Model } from "../../../processor/inference/model.ts";
import type { ScoringPorts } from "../../../processor/inference/scoring.ts";
import { stepAll, type InputRecord } from "../../../processor/runtime/machine.ts";

const root = join(import.meta.dirname, "..", "..", "..");
/** Made by models/activity/golden.py: resampled and scored by Python. */
const golden = JSON.parse(readFileSync(join(import.meta.dirname, "golden.json"), "utf8")) as {
  sha256: string;
  t: number[];
  samples: number[][];
  starts: number[];
  probabilities: number[][];
};

let model: Model;
let scoring: ScoringPorts;
beforeAll(async () => {
  model = await loadModel(modelFiles(join(root, "models", "activity"), "local"), ".");
  scoring = { source: { load: () => Promise.resolve(model) }, refused: () => undefined };
});

const assign = (): { timestamp: number; value: null; headers: Record<string, string> } => ({
  timestamp: golden.t[0]!,
  value: null,
  headers: {
    [headers.type]: controlTypes.model,
    [MODEL_HEADER]: JSON.stringify({ stage: "live", model: model.reference }),
  },
});

/** The golden stream as messages of `rows` readings. */
function messages(key: string, rows: number): { key: string; timestamp: number; value: object }[] {
  const list = [];
  for (let from = 0; from < golden.t.length; from += rows) {
    const t = golden.t.slice(from, from + rows);
    list.push({
      key,
      timestamp: t.at(-1)!,
      value: { seq: from / rows, t, samples: golden.samples.slice(from, from + rows) },
    });
  }
  return list;
}

function expectGolden(records: readonly InferenceRecord[]): void {
  expect(records.map(({ window }) => window.start)).toEqual(golden.starts);
  records.forEach(({ probabilities, window }, i) => {
    expect(window.end - window.start).toBe(model.manifest.hopMs);
    model.manifest.labels.forEach((label, k) =>
      expect(Math.abs(probabilities![label]! - golden.probabilities[i]![k]!)).toBeLessThan(1e-4),
    );
  });
}

const inferences = (driver: PipelineDriver, key: string): InferenceRecord[] =>
  driver
    .outputs(topics.inference.name)
    .filter((output) => output.key === key)
    .map(({ value }) => value as unknown as InferenceRecord);

describe("the scores of a stream", () => {
  test("come from the shipped model, as does the golden file", () => {
    expect(golden.sha256).toBe(model.reference.sha256);
    expect(golden.starts.length).toBeGreaterThan(20);
  });

  test("equal those of the offline run in Python", async () => {
    const driver = new PipelineDriver(sensorMachineFactory(defaultSemantics, scoring));
    await driver.record(assign());
    for (const message of messages("s1", 20)) await driver.record(message);
    expectGolden(inferences(driver, "s1"));
  });

  test("equal those of the offline run after crashes and restored state", async () => {
    const driver = new PipelineDriver(sensorMachineFactory(defaultSemantics, scoring));
    await driver.record(assign());
    for (const [i, message] of messages("s1", 16).entries()) {
      await driver.record(message);
      if (i % 3 === 0) await driver.snapshot();
      if (i % 4 === 1) {
        driver.crash();
        await driver.restore();
      }
    }
    expectGolden(inferences(driver, "s1"));
  });

  test("equal those of the offline run with messages out of order", async () => {
    const driver = new PipelineDriver(sensorMachineFactory(defaultSemantics, scoring));
    await driver.record(assign());
    const [first, ...rest] = messages("s1", 8);
    await driver.record(first!);
    // Swapped pairs stay within the out-of-orderness bound.
    for (let i = 0; i < rest.length; i += 2)
      for (const message of [rest[i + 1], rest[i]]) if (message) await driver.record(message);
    await driver.flush();
    expectGolden(inferences(driver, "s1"));
  });

  test("have the same bits, whatever else is in the batch", async () => {
    const log = (keys: readonly string[]): InputRecord[] => {
      const lists = keys.map((key) => messages(key, 20));
      const records = [{ key: null, ...assign() }, ...lists[0]!.flatMap((_, i) => lists.map((list) => list[i]!))];
      return records.map((record, offset) => ({
        partition: 0,
        offset,
        timestamp: record.timestamp,
        key: record.key === null ? null : Buffer.from(record.key),
        value: record.value === null ? null : Buffer.from(JSON.stringify(record.value)),
        headers: "headers" in record ? record.headers : {},
      }));
    };
    const probabilitiesOf = async (keys: readonly string[], cut: number): Promise<string[]> => {
      const machine = await sensorMachineFactory(defaultSemantics, scoring).create({
        partition: 0,
        restored: null,
        failures: new Map(),
      });
      const found: string[] = [];
      const records = log(keys);
      for (let from = 0; from < records.length; from += cut) {
        for (const { topic, key, value } of await stepAll(machine, records.slice(from, from + cut))) {
          if (topic === topics.inference.name && key === "s1")
            found.push(JSON.stringify((JSON.parse(Buffer.from(value!).toString()) as InferenceRecord).probabilities));
        }
      }
      return found;
    };
    const alone = await probabilitiesOf(["s1"], 1);
    const others = Array.from({ length: 21 }, (_, i) => `o${i}`);
    expect(alone).toHaveLength(golden.starts.length);
    expect(await probabilitiesOf([...others.slice(0, 9), "s1", ...others.slice(9)], 1_000)).toEqual(alone);
    expect(await probabilitiesOf(["s1", ...others], 7)).toEqual(alone);
  });

  test("are smoothed if the settings ask for it, also across a crash", async () => {
    const driver = new PipelineDriver(sensorMachineFactory({ ...defaultSemantics, smoothingPercent: 60 }, scoring));
    await driver.record(assign());
    for (const [i, message] of messages("s1", 20).entries()) {
      await driver.record(message);
      if (i % 5 === 2) {
        await driver.snapshot();
        driver.crash();
        await driver.restore();
      }
    }
    // By definition p' = 0.6 p'(before) + 0.4 p, starting again where a hop does not follow the one before.
    let before: number[] | null = null;
    const expected = golden.probabilities.map((row, i) => {
      if (i > 0 && golden.starts[i]! - golden.starts[i - 1]! !== model.manifest.hopMs) before = null;
      const last = before;
      return (before = last === null ? row : row.map((p, k) => 0.6 * last[k]! + 0.4 * p));
    });
    inferences(driver, "s1").forEach(({ probabilities }, i) =>
      model.manifest.labels.forEach((label, k) =>
        expect(Math.abs(probabilities![label]! - expected[i]![k]!)).toBeLessThan(1e-4),
      ),
    );
  });

  test("give a session the seconds of each label", async () => {
    const driver = new PipelineDriver(sensorMachineFactory(defaultSemantics, scoring));
    await driver.record(assign());
    for (const message of messages("s1", 20)) await driver.record(message);
    await driver.advanceClock(11_000);
    const ended = driver
      .outputs(topics.sessions.name)
      .map(({ value }) => value)
      .find(({ type }) => type === "ended")!;
    const expected: Record<string, number> = {};
    for (const probabilities of golden.probabilities) {
      const label = model.manifest.labels[probabilities.indexOf(Math.max(...probabilities))]!;
      expected[label] = (expected[label] ?? 0) + model.manifest.hopMs / 1_000;
    }
    expect(ended["activity"]).toEqual(expected);
  });
});

test("a message causes at most as many hops as it may: the rest goes to late, and the model begins anew", async () => {
  const driver = new PipelineDriver(sensorMachineFactory({ ...defaultSemantics, maxHopsPerMessage: 3 }, scoring));
  await driver.record(assign());
  const [whole] = messages("s1", Math.min(golden.t.length, 1_000));
  await driver.record(whole!);
  const { hopMs, decisionDelayMs } = model.manifest;
  const start = Math.floor(golden.t[0]! / hopMs) * hopMs;
  // The first hop of a model with a decision delay has no output.
  expect(inferences(driver, "s1")).toHaveLength(decisionDelayMs > 0 ? 2 : 3);
  const sent = golden.t.slice(0, 1_000);
  const missed = sent.slice(sent.findIndex((t) => t > start + 4 * hopMs));
  expect(missed.length).toBeGreaterThan(0);
  expect(driver.outputs(topics.late.name).map(({ value }) => value)).toEqual([
    expect.objectContaining({ operator: "inference", t: missed, window: { start: missed[0], end: missed.at(-1) } }),
  ]);
});
