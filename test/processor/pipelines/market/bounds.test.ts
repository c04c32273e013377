import { expect, test } from "@jest/globals";
import { defaultSemantics, type Semantics } from "../../../../domain/semantics.ts";
import { machineFactory } from "../../../../processor/adapters/machine-factory.ts";
import { marketPipeline } from "../../../../processor/pipelines/market/market-pipeline.ts";
import type { OutputRecord } from "../../../../processor/runtime/machine.ts";
import type { PartitionMachine } from "../../../../processor/runtime/partition-machine.ts";

const START = Date.UTC(2026, 0, 13, 14, 30);

interface Trade {
  readonly symbol?: string;
  readonly trade_id: string;
  readonly minute?: number;
  readonly account?: string;
  readonly status?: string;
}

/** Outputs of trades of 10 dollars each, and the counts of the machine. */
async function run(settings: Partial<Semantics>, trades: readonly Trade[]) {
  const factory = machineFactory(marketPipeline(), { initial: { ...defaultSemantics, ...settings } });
  const machine = (await factory.create({ partition: 0, restored: null, failures: new Map() })) as PartitionMachine;
  for (const [offset, { symbol = "A", minute = 0, ...trade }] of trades.entries()) {
    const value = { symbol, timestamp: START + minute * 60_000, price: 10, quantity: 1, side: "buy", ...trade };
    const record = { key: Buffer.from(symbol), value: Buffer.from(JSON.stringify(value)), headers: {} };
    machine.step({ partition: 0, offset, timestamp: START + minute * 60_000, ...record });
  }
  return { counters: machine.counters, outputs: (await machine.settle()).map(lineOf) };
}

/** Topic, offset and what matters of an output. */
function lineOf({ topic, value }: OutputRecord): string {
  const record = JSON.parse(Buffer.from(value!).toString("utf8")) as Record<string, string | number>;
  const offset = `${record["id"]}`.split("/")[2]!;
  const figures = ["account", "trades", "rule", "figure", "limit"].flatMap((name) =>
    record[name] === undefined ? [] : [`${name} ${record[name]}`],
  );
  return [topic, offset, ...figures].join(" ");
}

test("more trades than a partition may keep: the oldest minute is let go, what is older is late", async () => {
  const { counters, outputs } = await run({ maxTradesPerPartition: 2, outOfOrdernessMs: 86_400_000 }, [
    { trade_id: "a", symbol: "A" },
    { trade_id: "b", symbol: "B" },
    { trade_id: "c", symbol: "A", minute: 1 }, // the third: minute 0 goes
    { trade_id: "a", symbol: "A" }, // a copy that can't be told
    { trade_id: "b", symbol: "B" },
    { trade_id: "c", symbol: "A", minute: 1 }, // a copy that can
    { trade_id: "d", symbol: "C" }, // a symbol that has let nothing go
  ]);
  expect(counters.get("processor.trades-let-go")).toBe(2); // a and b
  expect(counters.get("processor.duplicates")).toBe(1);
  const of = (offset: number): string[] => outputs.filter((line) => line.split(" ")[1] === String(offset));
  // One tumbling bar and five sliding ones.
  expect(of(3)).toEqual(Array.from({ length: 6 }, () => "market-late 3"));
  expect(of(4)).toEqual(Array.from({ length: 6 }, () => "market-late 4"));
  expect(of(5)).toEqual([]);
  expect(of(6)).toEqual(["market-enriched 6"]);
});

test("more accounts than a symbol may have: the next one has no position but an alert", async () => {
  const { counters, outputs } = await run({ maxAccountsPerSymbol: 1 }, [
    { trade_id: "a", account: "one" },
    { trade_id: "b", account: "two" },
    { trade_id: "c", account: "one" },
    { trade_id: "d", account: "two", symbol: "B" },
    { trade_id: "b", account: "two", status: "cancelled" },
  ]);
  const positions = outputs.filter((line) => /positions|alerts/.test(line));
  const untracked = "rule position-untracked figure 1 limit 1";
  expect(positions).toEqual([
    "market-positions 0 account one trades 1",
    `market-alerts 1 ${untracked}`,
    "market-positions 2 account one trades 2",
    "market-positions 3 account two trades 1",
    `market-alerts 4 ${untracked}`, // withdrawn
  ]);
  expect(counters.get("processor.positions-untracked")).toBe(1);
});

test("more positions than a partition may keep: the next one is an alert, whatever its symbol", async () => {
  const { outputs } = await run({ maxKeptPerPartition: 1 }, [
    { trade_id: "a", account: "one" },
    { trade_id: "b", account: "one", symbol: "B" },
    { trade_id: "c", account: "one" },
  ]);
  expect(outputs.filter((line) => /positions|alerts/.test(line))).toEqual([
    "market-positions 0 account one trades 1",
    "market-alerts 1 rule position-untracked figure 1 limit 1",
    "market-positions 2 account one trades 2",
  ]);
});

test("more symbols than a partition may have: the longest silent expires early", async () => {
  const { counters, outputs } = await run({ maxSymbolsPerPartition: 1 }, [
    { trade_id: "a", symbol: "A" },
    { trade_id: "b", symbol: "B" },
  ]);
  expect(counters.get("processor.expired-early")).toBe(1);
  // The bars of A fire in the step of B's trade: one tumbling and five sliding ones.
  expect(outputs.filter((line) => line.startsWith("market-aggregated 1"))).toHaveLength(6);
});
