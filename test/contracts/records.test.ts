import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import type { z } from "zod";
import { decodeColumns } from "../../domain/columns.ts";
import { MODEL_HEADER, type ModelManifest } from "../../domain/models.ts";
import { pipelines } from "../../domain/pipelines.ts";
import { outputRecords, transformedHeader } from "../../domain/records.ts";
import { referenceHeaders } from "../../domain/reference.ts";
import { defaultSemantics, type Semantics } from "../../domain/semantics.ts";
import { contentTypes, controlTypes, headers, topics } from "../../domain/topics.ts";
import { machineFactory, sensorMachineFactory } from "../../processor/adapters/machine-factory.ts";
import type { Model } from "../../processor/inference/model.ts";
import { marketPipeline } from "../../processor/pipelines/market/market-pipeline.ts";
import type { InputRecord, OutputRecord } from "../../processor/runtime/machine.ts";
import { hostileStreams } from "../reference/streams.ts";

/** A model that scores every hop of 10 readings; every third run gives a number that is not finite. */
function unsteadyModel(version: string): Model {
  const manifest = { labels: ["walk", "rest"], sampleRateHz: 10, hopMs: 1_000, decisionDelayMs: 0, resetGapMs: 2_000 };
  let runs = 0;
  return {
    reference: { name: "unsteady", version, sha256: "0".repeat(64) },
    manifest: manifest as unknown as ModelManifest,
    rows: 10,
    stateSize: 1,
    batch: 1,
    run: async () => ({
      probabilities: Float32Array.of(runs++ % 3 === 2 ? NaN : 0.75, 0.25),
      state: new Float32Array(1),
    }),
  };
}

const models = { live: unsteadyModel("1"), shadow: unsteadyModel("2") };
const scoring = {
  source: { load: async ({ version }: { version: string }) => (version === "1" ? models.live : models.shadow) },
  refused: () => undefined,
};

/** All outputs of a log, after control records that assign a live model and a shadow. */
async function outputsOf(log: readonly InputRecord[], settings: Semantics, flush: boolean): Promise<OutputRecord[]> {
  const machine = await sensorMachineFactory(settings, scoring).create({
    partition: 0,
    restored: null,
    failures: new Map(),
  });
  const outputs: OutputRecord[] = [];
  const assignments = Object.entries(models).map(([stage, { reference }]) => ({
    key: null,
    value: null,
    timestamp: log[0]!.timestamp,
    headers: { [headers.type]: controlTypes.model, [MODEL_HEADER]: JSON.stringify({ stage, model: reference }) },
  }));
  for (const [offset, record] of [...assignments, ...log].entries()) {
    machine.step({ ...record, partition: 0, offset });
    outputs.push(...(await machine.settle()));
  }
  if (flush) machine.flush();
  return [...outputs, ...(await machine.settle())];
}

/** A minute of one sensor at 50 Hz, with a message that comes too late. */
function usualLog(): InputRecord[] {
  const start = 1_657_533_977_000;
  const message = (t: number, seq: number, timestamp: number): InputRecord => ({
    partition: 0,
    offset: 0,
    timestamp,
    key: Buffer.from("s1"),
    value: Buffer.from(
      JSON.stringify({
        seq,
        boot: "a",
        t,
        hz: 50,
        samples: Array.from({ length: 50 }, (_, i) => [i, 0, 9.8, 0, 0, 0]),
      }),
    ),
    headers: {},
  });
  const minute = Array.from({ length: 60 }, (_, i) => message(start + i * 1_000, i, start + (i + 1) * 1_000));
  return [...minute, message(start - 3_600_000, 60, start + 61_000)];
}

/** Outputs of trades with and without each field, executed, pending and cancelled, on time and late, under a rule. */
async function marketOutputs(): Promise<OutputRecord[]> {
  const start = Date.UTC(2026, 0, 13, 14, 30);
  const reference = { version: "v1", rules: [{ name: "big", kind: "trade-amount", severity: "LOW", maxUsd: 10 }] };
  const trades: readonly [timestamp: number, trade: object][] = [
    [start, { trade_id: "1", price: 5, quantity: 4, side: "sell", account: "A" }],
    [start + 1, { trade_id: "2", price: 5, currency: "EUR", status: "pending" }],
    [start + 120_000, { trade_id: "3", price: 6 }],
    [start, { trade_id: "1", price: 5, quantity: 4, side: "sell", account: "A", status: "cancelled" }],
    [start - 900_000, { trade_id: "4", price: 6 }],
  ];
  const control = {
    [headers.type]: controlTypes.reference,
    [referenceHeaders.version]: "v1",
    [referenceHeaders.part]: "0",
    [referenceHeaders.parts]: "1",
    [referenceHeaders.text]: JSON.stringify(reference),
  };
  const inputs = [
    { key: null, value: null, headers: control },
    ...trades.map(([timestamp, trade]) => ({
      key: Buffer.from("AAPL"),
      value: Buffer.from(JSON.stringify({ symbol: "AAPL", timestamp, ...trade })),
      headers: {},
    })),
  ];
  const origin = { partition: 0, restored: null, failures: new Map() };
  const machine = await machineFactory(marketPipeline()).create(origin);
  for (const [offset, input] of inputs.entries())
    machine.step({ ...input, partition: 0, offset, timestamp: start + 120_000 });
  return [...(await machine.settle())];
}

/** The record of an output as its topic's schema has it: JSON, or the header of the packed form. */
function parseOutput({ topic, value, headers: { [headers.contentType]: contentType } }: OutputRecord): {
  received: unknown;
  schema: z.ZodType;
} {
  if (contentType === contentTypes.columnsPacked) {
    return { received: decodeColumns(value!).header, schema: transformedHeader };
  }
  const key = Object.entries(topics).find(([, { name }]) => name === topic)![0];
  return {
    received: JSON.parse(Buffer.from(value!).toString("utf8")),
    schema: outputRecords[key as keyof typeof outputRecords],
  };
}

/** Parses all outputs but dead letters; a field that the schema does not know is a difference, too. */
function expectSchemas(outputs: readonly OutputRecord[]): unknown[] {
  return outputs
    .filter(({ topic }) => topic !== topics.deadLetter.name)
    .map((output) => {
      const { received, schema } = parseOutput(output);
      expect(schema.parse(received)).toEqual(received);
      return received;
    });
}

describe("every record that an operator emits follows its topic's schema", () => {
  test("over hostile streams", async () => {
    for (const { log, settings, flush } of fc.sample(hostileStreams(), { numRuns: 60, seed: 20 })) {
      const records = log.filter(({ partition }) => partition === 0);
      if (records.length === 0) continue;
      const inputs = records.map((record) => ({
        ...record,
        key: record.key === null ? null : Buffer.from(record.key),
      }));
      expectSchemas(await outputsOf(inputs, settings, flush));
    }
  }, 60_000);

  test("of the market: every topic and every optional field", async () => {
    const outputs = await marketOutputs();
    const records = expectSchemas(outputs) as Record<string, unknown>[];
    const written = new Set(outputs.map(({ topic }) => topic));
    expect([...written].sort()).toEqual(pipelines.market.outputs.map((key) => topics[key].name).sort());
    expect(records.some(({ status }) => status === "withdrawn")).toBe(true);
    expect(records.some(({ amountUsd }) => amountUsd === null)).toBe(true);
    expect(records.some(({ open, count }) => open === null && count === 0)).toBe(true);
    expect(records.some(({ account, side }) => account === "A" && side === "sell")).toBe(true);
  });

  test.each(["packed", "json"] as const)("with every topic and every optional field, %s", async (transformedFormat) => {
    const outputs = await outputsOf(usualLog(), { ...defaultSemantics, transformedFormat }, true);
    const records = expectSchemas(outputs) as Record<string, unknown>[];
    const written = new Set(outputs.map(({ topic }) => topic));
    const expected: string[] = pipelines.sensor.outputs.map((key) => topics[key].name);
    expect([...written].sort()).toEqual(expected.sort());
    expect(records.some(({ label, probabilities }) => label === null && probabilities === null)).toBe(true);
    expect(records.some(({ label }) => label === "walk")).toBe(true);
    expect(records.some(({ shadow }) => shadow !== undefined)).toBe(true);
    expect(records.some(({ activity }) => activity !== undefined)).toBe(true);
    expect(records.some(({ boot }) => boot === "a")).toBe(true);
  });
});
