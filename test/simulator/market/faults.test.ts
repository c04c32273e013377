import { describe, expect, test } from "@jest/globals";
import { noMarketFaults, putsOf, type PlannedPut, type PlannedTrade } from "../../../simulator/market/faults.ts";
import { plannedTrades, putsInOrder } from "../../../simulator/market/puts.ts";
import { seededRandom } from "../../../simulator/synthetic/random.ts";

const trade: PlannedTrade = {
  dueMs: 1_000,
  time: 5,
  detail: { trade_id: "T1", symbol: "A", price: 2, account: "ACC-1", status: "executed" },
  pendingMs: 0,
};
const random = () => seededRandom("faults");
const all = { duplicate: 1, late: 1, corrupt: 1, cancelled: 1, conflict: 1 };

describe("the events of a trade", () => {
  test("are the trade alone without faults, and a pending one is executed", () => {
    expect(putsOf(trade, noMarketFaults, random())).toEqual([
      { dueMs: 1_000, kind: "trade", time: 5, detail: trade.detail },
    ]);
    const pending = { ...trade, detail: { ...trade.detail, status: "pending" }, pendingMs: 3_000 };
    expect(putsOf(pending, noMarketFaults, random())).toEqual([
      { dueMs: 1_000, kind: "trade", time: 5, detail: pending.detail },
      { dueMs: 4_000, kind: "executed", time: 5, detail: trade.detail },
    ]);
  });

  test("with every fault are late, repeated, corrupt, cancelled, and in conflict with another one", () => {
    const puts = putsOf(trade, all, random());
    expect(puts.map(({ kind }) => kind)).toEqual(["late", "duplicate", "corrupt", "cancelled", "conflict"]);
    const [late, duplicate, corrupt, cancelled, conflict] = puts as [PlannedPut, ...PlannedPut[]] as PlannedPut[];
    expect(late!.dueMs - 1_000).toBeGreaterThanOrEqual(1_000);
    expect(late!.dueMs - 1_000).toBeLessThanOrEqual(20_000);
    expect(duplicate!.detail).toEqual(trade.detail);
    expect(corrupt!.detail).toMatchObject({ trade_id: "T1-x", symbol: "A" });
    expect(corrupt!.detail).not.toMatchObject({ price: 2, account: "ACC-1", status: "executed", currency: undefined });
    expect(cancelled!.detail).toEqual({ ...trade.detail, status: "cancelled" });
    expect(cancelled!.dueMs - late!.dueMs).toBeGreaterThanOrEqual(1_000);
    expect(conflict!.detail).toEqual({ ...trade.detail, account: "ACC-conflict" });
    expect(conflict!.dueMs).toBeGreaterThan(late!.dueMs);
  });

  test("draw the same number of random numbers, whatever happens", () => {
    const [one, other] = [random(), random()];
    putsOf(trade, noMarketFaults, one);
    putsOf(trade, all, other);
    expect(one()).toBe(other());
  });
});

test("a market's events are in the order in which they are due, all of them, the same for the same seed", async () => {
  const faults = { duplicate: 0.1, late: 0.1, corrupt: 0.1, cancelled: 0.1, conflict: 0.1 };
  const collect = async (seed: number): Promise<PlannedPut[]> => {
    const trades = plannedTrades({ symbols: 5, rate: 50, seed }, "r", 1_768_314_600_000, 60_000);
    const puts: PlannedPut[] = [];
    for await (const put of putsInOrder(trades, faults, seededRandom(seed, "faults"))) puts.push(put);
    return puts;
  };
  const puts = await collect(1);
  const due = puts.map(({ dueMs }) => dueMs);
  expect(due).toEqual(due.toSorted((a, b) => a - b));
  expect(await collect(1)).toEqual(puts);
  expect(await collect(2)).not.toEqual(puts);
  const originals = puts.filter(({ kind }) => kind === "trade" || kind === "late");
  // 50 a second for a minute: a Poisson count of 3,000, of which six standard deviations are 329.
  expect(Math.abs(originals.length - 3_000)).toBeLessThan(329);
  expect(new Set(originals.map(({ detail }) => detail["trade_id"])).size).toBe(originals.length);
  const pending = originals.filter(({ detail }) => detail["status"] === "pending");
  expect(puts.filter(({ kind }) => kind === "executed")).toHaveLength(pending.length);
  for (const kind of ["late", "duplicate", "corrupt", "cancelled", "conflict"])
    expect(puts.filter((put) => put.kind === kind).length).toBeGreaterThan(150);
});
