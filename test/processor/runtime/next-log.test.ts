import { expect, test } from "@jest/globals";
import { settingsHeader } from "../../../domain/controls.ts";
import { defaultSemantics } from "../../../domain/semantics.ts";
import { sensorMachineFactory } from "../../../processor/adapters/machine-factory.ts";
import { EMPTY_CHAIN, stepAll, type InputRecord, type StateEntry } from "../../../processor/runtime/machine.ts";
import { stateForNextLog } from "../../../processor/runtime/next-log.ts";
import type { PartitionMachine } from "../../../processor/runtime/partition-machine.ts";

const T = 1_700_000_000_000;
const factory = sensorMachineFactory();

const message = (offset: number, seq: number, headers: Record<string, string> = {}): InputRecord => ({
  partition: 0,
  offset,
  timestamp: T + seq,
  key: Buffer.from("s1"),
  value: Buffer.from(JSON.stringify({ seq, boot: "b", t: [T + seq], samples: [[0, 0, 9.8, 0, 0, 0]] })),
  headers,
});
const settings = (offset: number, windowMs: number): InputRecord => ({
  partition: 0,
  offset,
  timestamp: T,
  key: null,
  value: null,
  headers: {
    type: "settings",
    change: "c1",
    settings: settingsHeader({ ...defaultSemantics, windowMs, slideMs: windowMs }),
  },
});
const letter = { "reinjected-from": "dead-letter/0/1" };

async function lostState(): Promise<StateEntry[]> {
  const machine = await factory.create({ partition: 0, restored: null, failures: new Map() });
  await stepAll(machine, [settings(5, 2_000), message(6, 1), message(7, 2, letter)]);
  const entries: StateEntry[] = [];
  machine.encodeChanges(0, (entry) => entries.push(entry));
  return entries;
}

async function next(entries: readonly StateEntry[], records: readonly InputRecord[]): Promise<PartitionMachine> {
  const restored = {
    nextOffset: 0,
    chain: EMPTY_CHAIN,
    entries: entries.map((entry) => ({ generation: 0, ...entry })),
  };
  const machine = (await factory.create({ partition: 0, restored, failures: new Map() })) as PartitionMachine;
  await stepAll(machine, records);
  return machine;
}

test("a message of the lost log is a duplicate in the next one, and its settings are in force", async () => {
  const machine = await next(stateForNextLog(await lostState()), [message(0, 1), message(1, 2)]);
  expect(machine.counters.get("processor.duplicates")).toBe(2);
  expect(machine.settings.windowMs).toBe(2_000);
});

test("changes and letters of the next log are taken, although the lost one had some of these names", async () => {
  const records = [settings(0, 3_000), message(1, 3, letter)];
  const machine = await next(stateForNextLog(await lostState()), records);
  expect(machine.settings.windowMs).toBe(3_000);
  expect(machine.counters.get("processor.readings")).toBe(1);
  // As they would be missed in a state that still has the names.
  const unaware = await next(await lostState(), records);
  expect(unaware.settings.windowMs).toBe(2_000);
  expect(unaware.counters.get("processor.readings")).toBe(0);
});
