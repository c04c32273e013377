import { expect, test } from "@jest/globals";
import { settingsHeader } from "../../../domain/controls.ts";
import { defaultSemantics, type Semantics } from "../../../domain/semantics.ts";
import { sensorMachineFactory } from "../../../processor/adapters/machine-factory.ts";
import { EMPTY_CHAIN, stepAll, type InputRecord, type OutputRecord } from "../../../processor/runtime/machine.ts";

const T = 1_700_000_000_000;

/** Records in offset order: a message of a sensor at a time, or a control record. */
function log(...records: readonly (readonly [string, number] | Readonly<Record<string, string>>)[]): InputRecord[] {
  return records.map((record, offset): InputRecord => {
    const at = { partition: 0, offset, timestamp: T + offset * 1_000 };
    if (!Array.isArray(record)) return { ...at, key: null, value: null, headers: record as Record<string, string> };
    const [sensor, ms] = record as readonly [string, number];
    const value = JSON.stringify({ seq: offset, boot: "b", t: [T + ms], samples: [[0, 0, 9.8, 0, 0, 0]] });
    return { ...at, key: Buffer.from(sensor), value: Buffer.from(value), headers: {} };
  });
}

async function run(records: readonly InputRecord[], semantics: Semantics = defaultSemantics): Promise<OutputRecord[]> {
  const machine = await sensorMachineFactory(semantics).create({ partition: 0, restored: null, failures: new Map() });
  return [...(await stepAll(machine, records))];
}

const fields = (outputs: readonly OutputRecord[], topic: string): Record<string, unknown>[] =>
  outputs
    .filter((output) => output.topic === topic)
    .map(({ value }) => JSON.parse(Buffer.from(value!).toString()) as Record<string, unknown>);

const eraseA = { type: "erase", change: "e1", erase: "a" };

test("an erase record drops the key's state without an output: its next message begins a session anew", async () => {
  const outputs = await run(log(["a", 0], ["b", 0], ["a", 100], eraseA, ["a", 200], ["b", 200]));
  expect(fields(outputs, "new-session-topic").map(({ type, sessionId }) => [type, sessionId])).toEqual([
    ["started", `a@${T}`],
    ["started", `b@${T}`],
    // Without the record, 200 ms belong to the first session.
    ["started", `a@${T + 200}`],
  ]);
  expect(fields(outputs, "sensor-data-aggregated")).toEqual([]);
});

test("the snapshot behind an erase record names the key nowhere, and needs no older generation", async () => {
  const machine = await sensorMachineFactory().create({ partition: 0, restored: null, failures: new Map() });
  const written = new Map<number, string[]>();
  const snapshot = (generation: number): void => {
    const keys: string[] = [];
    machine.encodeChanges(generation, ({ key }) => keys.push(key));
    written.set(generation, keys);
  };
  await stepAll(machine, log(["a", 0], ["b", 0]));
  snapshot(1);
  const later = log(["a", 0], ["b", 0], ["b", 100], ["a", 100], eraseA, { type: "tick" });
  await stepAll(machine, later.slice(2, 4));
  snapshot(2);
  expect(machine.liveGenerations()).toEqual([2]);
  expect(written.get(2)).toContain("key/a");
  await stepAll(machine, later.slice(4));
  snapshot(3);
  expect(machine.liveGenerations()).toEqual([3]);
  expect(written.get(3)!.filter((key) => key.split("/")[1] === "a")).toEqual([]);
  expect(written.get(3)).toEqual(expect.arrayContaining(["task", "key/b"]));
});

test("a key that was forgotten before has no entry in the next snapshot either", async () => {
  const settings = { ...defaultSemantics, idleTimeoutMs: 1, expiryMs: 1, allowedLatenessMs: 0, tombstoneMs: 0 };
  const machine = await sensorMachineFactory({ ...settings, futureGuardMs: 60_000 }).create({
    partition: 0,
    restored: null,
    failures: new Map(),
  });
  const records = log(["a", 0], { type: "tick" }, { type: "tick" }, { type: "tick" }, eraseA);
  const keys: string[] = [];
  await stepAll(machine, records.slice(0, 1));
  machine.encodeChanges(1, () => undefined);
  await stepAll(machine, records.slice(1));
  machine.encodeChanges(2, ({ key }) => keys.push(key));
  expect(keys).toEqual(["task"]);
  expect(machine.liveGenerations()).toEqual([2]);
});

test("an erase record that names no sensor, or several times the same change, changes nothing", async () => {
  const wrong = await run(log(["a", 0], { type: "erase", erase: "a/b" }, { type: "erase" }));
  expect(fields(wrong, "new-session-topic")).toHaveLength(1);
  expect(wrong.filter(({ topic }) => topic === "dead-letter")).toHaveLength(2);
  const twice = await run(log(eraseA, ["a", 0], eraseA, ["a", 100]));
  expect(fields(twice, "new-session-topic")).toHaveLength(1);
});

test("what is left of an erased record moves the clock, and the watermark where it is the partition's", async () => {
  const partition: Semantics = { ...defaultSemantics, watermark: "partition" };
  for (const semantics of [defaultSemantics, partition]) {
    // The message of `a` lets the window of `b` fire only where they share a watermark.
    const whole = await run(log(["b", 0], ["a", 1_600], { type: "tick" }), semantics);
    const erased = { type: "erased", ...(semantics === partition ? { "event-time": String(T + 1_600) } : {}) };
    const emptied = await run(log(["b", 0], erased, { type: "tick" }), semantics);
    const ofB = (outputs: OutputRecord[]): OutputRecord[] => outputs.filter(({ key }) => key === "b");
    expect(ofB(emptied)).toEqual(ofB(whole));
    expect(fields(emptied, "sensor-data-aggregated")).toHaveLength(semantics === partition ? 1 : 0);
  }
});

test("a key that waits for a switch of settings and is erased fires nothing", async () => {
  const settings = { ...defaultSemantics, maxSensorsPerStep: 1 };
  const change = {
    type: "settings",
    change: "s1",
    settings: settingsHeader({ ...settings, windowMs: 2_000, slideMs: 2_000 }),
  };
  // One sensor switches in a step: `a` at the change, `b` in the step of the erase record.
  const records = log(["a", 0], ["b", 0], ["c", 0], change, { ...eraseA, erase: "c" }, { type: "tick" });
  const outputs = await run(records, settings);
  expect(fields(outputs, "sensor-data-aggregated").map(({ sensorId }) => sensorId)).toEqual(["a", "b"]);
});

test("a restored machine goes through an erase record as the first one did", async () => {
  const factory = sensorMachineFactory();
  const records = log(["a", 0], ["b", 0], ["a", 1_600], eraseA, ["a", 1_700], ["b", 1_700]);
  const first = await factory.create({ partition: 0, restored: null, failures: new Map() });
  await stepAll(first, records.slice(0, 3));
  const entries: { generation: number; key: string; value: Uint8Array }[] = [];
  first.encodeChanges(1, (entry) => entries.push({ generation: 1, ...entry }));
  const chain = first.chain;
  const expected = await stepAll(first, records.slice(3));
  const restored = { nextOffset: 3, chain, entries };
  const second = await factory.create({ partition: 0, restored, failures: new Map() });
  expect(await stepAll(second, records.slice(3))).toEqual(expected);
  expect(second.chain).toBe(first.chain);
  expect(chain).not.toBe(EMPTY_CHAIN);
});
