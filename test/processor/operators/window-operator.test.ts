import { expect, test } from "@jest/globals";
import { defaultSemantics, type Semantics } from "../../../domain/semantics.ts";
import { machineFactory } from "../../../processor/adapters/machine-factory.ts";
import { channelStatistics } from "../../../processor/operators/channel-statistics.ts";
import { WindowOperator } from "../../../processor/operators/window-operator.ts";
import { rowsOf } from "../../../processor/runtime/late.ts";
import type { OutputRecord, StateEntry } from "../../../processor/runtime/machine.ts";
import { Message } from "../../../processor/runtime/message.ts";
import type { PartitionMachine } from "../../../processor/runtime/partition-machine.ts";
import type { Pipeline, Topology } from "../../../processor/runtime/pipeline.ts";
import { noDeduplication } from "../runtime/pipeline-fixture.ts";

/** A pipeline of its own: rows of numbers from JSON, no duplicates, no model, one window operator over `channels`. */
function rowsPipeline(channels: readonly string[]): Pipeline {
  const topics = { source: "rows", deadLetter: "rows-dead" };
  const late = {
    topic: "rows-late",
    identify: ({ key }: Message) => ({ key }),
    verbatim: (message: Message, from: number, to: number) => rowsOf(message, channels.length, from, to),
  };
  const windows = { ...defaultSemantics, to: "rows-windows", keyField: "key", late };
  return {
    name: "rows",
    ...topics,
    open: () => ({ controls: {}, kept: [], asyncWork: null, build }),
  };
  function build(): Topology {
    return {
      message: new Message(channels.length),
      maxKeys: Infinity,
      decode: (key, value, _headers, message) => {
        const { t, row } = JSON.parse(Buffer.from(value).toString("utf8")) as { t: number; row: number[] };
        Object.assign(message, { key, rows: 1 });
        message.t[0] = t;
        row.forEach((x, column) => (message.columns[column * 1_000] = x));
        return null;
      },
      deduplication: noDeduplication,
      operators: [new WindowOperator({ ...windows, aggregate: channelStatistics(channels) })],
    };
  }
}

async function machineOf(
  channels: readonly string[],
  entries: readonly StateEntry[] = [],
  settings: Partial<Semantics> = {},
): Promise<PartitionMachine> {
  const restored = {
    nextOffset: 1,
    chain: "0-00000000",
    entries: entries.map((entry) => ({ generation: 1, ...entry })),
  };
  const origin = { partition: 0, restored: entries.length > 0 ? restored : null, failures: new Map() };
  const initial = { ...defaultSemantics, earliestTimeMs: 0, ...settings };
  return machineFactory(rowsPipeline(channels), { initial }).create(origin) as Promise<PartitionMachine>;
}

async function step(machine: PartitionMachine, offset: number, t: number, row: number[]): Promise<OutputRecord[]> {
  const value = Buffer.from(JSON.stringify({ t, row }));
  machine.step({ partition: 0, offset, timestamp: t, key: Buffer.from("k"), value, headers: {} });
  return [...(await machine.settle())];
}

/** The state after one reading in the window [0, 1000). */
async function stateOf(channels: readonly string[]): Promise<StateEntry[]> {
  const machine = await machineOf(channels);
  await step(machine, 0, 100, [2]);
  const entries: StateEntry[] = [];
  machine.encodeChanges(1, (entry) => entries.push(entry));
  return entries;
}

test("a window continues from its snapshot", async () => {
  const machine = await machineOf(["x"], await stateOf(["x"]));
  await step(machine, 1, 200, [4]);
  const [window] = await step(machine, 2, 1_500, [0]);
  expect(JSON.parse(Buffer.from(window!.value!).toString("utf8"))).toEqual({
    id: "rows/0/2/0",
    schema: 1,
    key: "k",
    operator: "tumbling-1000",
    window: { start: 0, end: 1_000 },
    revision: 0,
    cause: "watermark",
    count: 2,
    channels: { x: { mean: 3, std: 1, min: 2, max: 4, rms: Math.sqrt(10) } },
  });
});

test("a window of a version with another aggregate is refused with a named error", async () => {
  const written = await stateOf(["x"]);
  await expect(machineOf(["x", "y"], written)).rejects.toMatchObject({
    code: "state-layout-unknown",
    message: expect.stringMatching(/accumulators of 4 numbers; this version's have 8/),
  });
});

test("windows of an expired key hold no generation of the snapshot any more", async () => {
  const machine = await machineOf(["x"], [], { allowedLatenessMs: 1_000, idleTimeoutMs: 1_000, expiryMs: 2_000 });
  const tick = { partition: 0, key: null, value: null, headers: {} };
  await step(machine, 0, 100, [2]);
  machine.encodeChanges(1, () => undefined);
  expect(machine.liveGenerations()).toEqual([1]);
  machine.step({ ...tick, offset: 1, timestamp: 1_101 });
  machine.step({ ...tick, offset: 2, timestamp: 2_101 });
  expect((await machine.settle()).map(({ topic }) => topic)).toEqual(["rows-windows"]);
  machine.encodeChanges(2, () => undefined);
  expect(machine.liveGenerations()).toEqual([2]);
});
