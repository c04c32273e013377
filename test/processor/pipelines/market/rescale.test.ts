import { expect, test } from "@jest/globals";
import { referenceHeaders } from "../../../../domain/reference.ts";
import { controlTypes, headers } from "../../../../domain/topics.ts";
import { machineFactory } from "../../../../processor/adapters/machine-factory.ts";
import { marketPipeline } from "../../../../processor/pipelines/market/market-pipeline.ts";
import type { InputRecord, OutputRecord, StateEntry, StateMachine } from "../../../../processor/runtime/machine.ts";
import { repartition, type TaskState } from "../../../../processor/runtime/repartition.ts";

const START = Date.UTC(2026, 0, 13, 14, 30);
const symbols = ["AAPL", "MSFT", "NVDA", "TSLA", "AMZN"];
const factory = machineFactory(marketPipeline());

type Input = Pick<InputRecord, "timestamp" | "key" | "value" | "headers">;

function open(partition: number, entries: readonly StateEntry[] | null): Promise<StateMachine> {
  const restored = entries && {
    nextOffset: 0,
    chain: "0-00000000",
    entries: entries.map((entry) => ({ generation: 0, ...entry })),
  };
  return Promise.resolve(factory.create({ partition, restored, failures: new Map() }));
}

function reference(version: string, eur: number): Input {
  const text = JSON.stringify({
    version,
    rates: { EUR: eur },
    rules: [
      { name: "off", kind: "price-deviation", severity: "LOW", maxPercent: 1 },
      { name: "busy", kind: "account-rate", severity: "LOW", maxTrades: 2 },
    ],
  });
  const own = {
    [headers.type]: controlTypes.reference,
    [referenceHeaders.version]: version,
    [referenceHeaders.part]: "0",
    [referenceHeaders.parts]: "1",
    [referenceHeaders.text]: text,
  };
  return { timestamp: START, key: null, value: null, headers: own };
}

/** A minute of trades of each symbol: each account has three, at one time; some are in euros, one is cancelled. */
function minute(number: number): Input[] {
  return symbols.flatMap((symbol, s) =>
    Array.from({ length: 7 }, (_, i) => {
      const id = i === 6 ? 0 : i;
      const timestamp = START + number * 60_000 + 1_000 * (id >> 1);
      const trade = {
        trade_id: `${number}-${id}`,
        timestamp,
        symbol,
        price: 100 + s + id + number,
        quantity: 1 + id,
        currency: id % 2 === 0 ? "EUR" : "USD",
        side: id % 3 === 0 ? "sell" : "buy",
        account: `acc-${id >> 2}`,
        status: i === 6 ? "cancelled" : "executed",
      };
      const value = Buffer.from(JSON.stringify(trade));
      return { timestamp: timestamp + 10_000, key: Buffer.from(symbol), value, headers: {} };
    }),
  );
}

async function feed(machine: StateMachine, inputs: readonly Input[], partition: number): Promise<OutputRecord[]> {
  for (const input of inputs) machine.step({ ...input, partition, offset: machine.nextOffset });
  return [...(await machine.settle())];
}

/** Outputs by topic and symbol, in order, without their ids. */
function bySymbol(outputs: readonly OutputRecord[]): Map<string, object[]> {
  const result = new Map<string, object[]>();
  for (const { topic, key, value } of outputs) {
    const { id: _, ...record } = JSON.parse(Buffer.from(value!).toString("utf8")) as { id: string };
    const name = `${topic} ${String(key)}`;
    result.set(name, [...(result.get(name) ?? []), record]);
  }
  return result;
}

async function snapshot(machine: StateMachine, partition: number, generation = 1): Promise<TaskState> {
  const entries: StateEntry[] = [];
  await machine.settle();
  machine.encodeChanges(generation, ({ key, value }) => entries.push({ key, value: Uint8Array.from(value) }));
  return { task: `market/market-trades/${partition}`, partition, entries };
}

const oldPartition = (symbol: string): number => symbols.indexOf(symbol) % 2;
const newPartition = (symbol: string): number => symbols.indexOf(symbol) % 3;
const own = (inputs: readonly Input[], partition: number, of: (symbol: string) => number): Input[] =>
  inputs.filter(({ key }) => key === null || of(Buffer.from(key).toString()) === partition);

test("after a rescale, bars, positions, last closes and reference data continue as if nothing had been", async () => {
  const before = [reference("v1", 1.25), ...minute(0), ...minute(1), ...minute(2)];
  const behind = [...minute(2), ...minute(3), ...minute(6)];
  const whole = await open(0, null);
  await feed(whole, before, 0);
  const expected = bySymbol(await feed(whole, behind, 0));

  const old = await Promise.all([0, 1].map((partition) => open(partition, null)));
  for (const [partition, machine] of old.entries())
    await feed(machine, own(before, partition, oldPartition), partition);
  const states = await Promise.all(old.map((machine, partition) => snapshot(machine, partition)));
  const { states: distributed } = repartition(states, 3, newPartition)!;
  const outputs: OutputRecord[] = [];
  for (const [partition, entries] of distributed.entries())
    outputs.push(...(await feed(await open(partition, entries), own(behind, partition, newPartition), partition)));
  expect(bySymbol(outputs)).toEqual(expected);
  const topics = new Set([...expected.keys()].map((name) => name.split(" ")[0]));
  expect([...topics].sort()).toEqual(["market-aggregated", "market-alerts", "market-enriched", "market-positions"]);
});

test("tasks that came to the same reference data by other records are put together", async () => {
  const machines = await Promise.all([0, 1].map((partition) => open(partition, null)));
  // A command that died behind its first part, in the first partition alone.
  const { headers: whole } = reference("v0", 1);
  const begun = { ...reference("v0", 1), headers: { ...whole, [referenceHeaders.parts]: "2" } };
  await feed(machines[0]!, [begun], 0);
  const first = await snapshot(machines[0]!, 0);
  for (const [partition, machine] of machines.entries())
    await feed(machine, [reference("v1", 1.25), ...own(minute(0), partition, oldPartition)], partition);
  const [zero, one] = await Promise.all([0, 1].map((partition) => snapshot(machines[partition]!, partition, 2)));
  const states = [{ ...zero!, entries: [...first.entries, ...zero!.entries] }, one!];
  const { states: distributed } = repartition(states, 3, newPartition)!;
  for (const [partition, entries] of distributed.entries()) {
    const outputs = await feed(await open(partition, entries), own(minute(1), partition, newPartition), partition);
    const enriched = outputs.filter(({ topic }) => topic === "market-enriched");
    const versions = enriched.map(({ value }) => JSON.parse(Buffer.from(value!).toString("utf8")).reference as string);
    expect(new Set(versions)).toEqual(new Set(["v1"]));
  }
});

test("tasks with other reference data are refused", async () => {
  const machines = await Promise.all([0, 1].map((partition) => open(partition, null)));
  await feed(machines[0]!, [reference("v1", 1.25), ...own(minute(0), 0, oldPartition)], 0);
  await feed(machines[1]!, own(minute(0), 1, oldPartition), 1);
  const missing = await Promise.all(machines.map((machine, partition) => snapshot(machine, partition)));
  expect(() => repartition(missing, 3, newPartition)).toThrow("has other reference data than");
  await feed(machines[1]!, [reference("v2", 2)], 1);
  const different = await Promise.all([0, 1].map((i) => snapshotAgain(machines[i]!, i)));
  expect(() => repartition(different, 3, newPartition)).toThrow("has other reference data than");
});

/** All of the state, as a machine writes it that had written it before. */
async function snapshotAgain(machine: StateMachine, partition: number): Promise<TaskState> {
  machine.rewriteUpTo(10);
  return snapshot(machine, partition, 2);
}
