import { afterEach, describe, expect, test } from "@jest/globals";
import type {
  AlertRecord,
  BarRecord,
  EnrichedRecord,
  MarketLateRecord,
  PositionRecord,
} from "../../../domain/records.ts";
import { defaultSemantics } from "../../../domain/semantics.ts";
import { topics } from "../../../domain/topics.ts";
import type { PipelineDriver } from "../../../processor/driver/driver.ts";
import type { MachineFactory } from "../../../processor/runtime/machine.ts";
import { marketMachineFactory } from "../../reference/product.ts";
import type { Step } from "./driver-stories.ts";

/** 0.5 s out of order, 5 min of lateness, idle after 10 s: the defaults. Times of the story are small numbers. */
const market = marketMachineFactory({ ...defaultSemantics, earliestTimeMs: 0 });

const reference = {
  version: "v1",
  rates: { EUR: 1.5 },
  flags: { AAPL: ["tech"] },
  rules: [
    { name: "large", severity: "HIGH", kind: "trade-amount", maxUsd: 1000 },
    { name: "off", severity: "MEDIUM", kind: "price-deviation", maxPercent: 10 },
    { name: "often", severity: "LOW", kind: "account-rate", maxTrades: 2 },
  ],
};

const trade = (id: string, timestamp: number, fields: object): Step => {
  const value = { trade_id: id, timestamp, symbol: "AAPL", ...fields };
  return (driver) => driver.record({ key: "AAPL", timestamp: Math.max(driver.clock, timestamp), value });
};

/** The minute from 600 s on, step by step. */
const minute: readonly Step[] = [
  (driver) =>
    driver.record({
      key: null,
      timestamp: 600_000,
      value: null,
      headers: {
        type: "reference",
        "reference-version": "v1",
        part: "0",
        parts: "1",
        reference: JSON.stringify(reference),
      },
    }),
  trade("T-1", 600_000, { price: 100, quantity: 2, side: "buy", account: "ACC-1" }),
  trade("T-2", 610_000, { price: 110, amount: 2200, currency: "EUR", side: "sell", account: "ACC-1" }),
  trade("T-3", 605_000, { price: 50, status: "pending" }),
  trade("T-1", 600_000, { price: 100, amount: 200, side: "buy", account: "ACC-1" }),
  trade("T-1", 600_000, { price: 101, quantity: 2, side: "buy", account: "ACC-1" }),
  trade("T-4", 659_999, { price: 120, quantity: 1, account: "ACC-1" }),
  trade("T-5", 660_500, { price: 90, quantity: 1 }),
  trade("T-3", 605_000, { price: 50, status: "executed" }),
  trade("T-2", 610_000, {
    price: 110,
    amount: 2200,
    currency: "EUR",
    side: "sell",
    account: "ACC-1",
    status: "cancelled",
  }),
  (driver) => driver.advanceClock(11_000),
  trade("T-6", 59_999, { price: 1, note: "very late" }),
];

/**
 * Calculated by hand. Offset 4 is T-1 again, in other words; offset 5 has its id and another price. T-5 moves the
 * watermark to 660,000: the minute's bar and the sliding one that ends there fire, with T-1, T-2 and T-4. T-3 becomes
 * executed behind that (offset 8), T-2 is cancelled (offset 9): both revise the two bars. The ticks from 661.5 s on are
 * offsets 10 to 20; at the eleventh the symbol has been silent for 11 s. T-6 misses all its windows.
 */
const bars = [
  "7/0 tumbling-60000 600..660 r0 watermark n=3 p=1 c=0",
  "7/1 sliding-300000-60000 360..660 r0 watermark n=3 p=1 c=0",
  "8/0 tumbling-60000 600..660 r1 late n=4 p=0 c=0",
  "8/1 sliding-300000-60000 360..660 r1 late n=4 p=0 c=0",
  "9/0 tumbling-60000 600..660 r2 late n=3 p=0 c=1",
  "9/1 sliding-300000-60000 360..660 r2 late n=3 p=0 c=1",
  "20/0 tumbling-60000 660..720 r0 idle n=1 p=0 c=0",
  "20/1 sliding-300000-60000 420..720 r0 idle n=4 p=0 c=1",
  "20/2 sliding-300000-60000 480..780 r0 idle n=4 p=0 c=1",
  "20/3 sliding-300000-60000 540..840 r0 idle n=4 p=0 c=1",
  "20/4 sliding-300000-60000 600..900 r0 idle n=4 p=0 c=1",
  "20/5 sliding-300000-60000 660..960 r0 idle n=1 p=0 c=0",
];
/** Of the minute's bar: T-1 is 200 USD for 2, T-2 3,300 for 20 (2,200 EUR), T-4 120 for 1; T-3's amount is unknown. */
const figures = [
  {
    open: 100,
    high: 120,
    low: 100,
    close: 120,
    volume: 23,
    vwap: 2520 / 23,
    notional: { sum: 3620, mean: 3620 / 3, min: 120, max: 3300 },
    firstTrade: 600_000,
    lastTrade: 659_999,
  },
  {
    open: 100,
    high: 120,
    low: 50,
    close: 120,
    volume: 23,
    vwap: 2520 / 23,
    notional: { sum: 3620, mean: 3620 / 3, min: 120, max: 3300 },
    firstTrade: 600_000,
    lastTrade: 659_999,
  },
  {
    open: 100,
    high: 120,
    low: 50,
    close: 120,
    volume: 3,
    vwap: 320 / 3,
    notional: { sum: 320, mean: 160, min: 120, max: 200 },
    firstTrade: 600_000,
    lastTrade: 659_999,
  },
];
const enriched = [
  "1 T-1 executed 2 200 200 USD tech v1",
  "2 T-2 executed 20 2200 3300 EUR tech v1",
  "3 T-3 pending undefined undefined null USD tech v1",
  "6 T-4 executed 1 120 120 USD tech v1",
  "7 T-5 executed 1 90 90 USD tech v1",
  "8 T-3 executed undefined undefined null USD tech v1",
  "9 T-2 cancelled 20 2200 3300 EUR tech v1",
];
const positions = ["1 ACC-1 2 200 n=1 r0 600000", "2 ACC-1 -18 -3100 n=2 r1 610000", "9 ACC-1 2 200 n=1 r2 610000"];
/** T-4 is the third of its account in the minute; T-3 is 70 below the close of 120, which is 58.3 %. */
const alerts = [
  "2 AAPL/T-2/large HIGH raised r0 3300.0 of 1000",
  "6 AAPL/T-4/often LOW raised r0 3.0 of 2",
  "8 AAPL/T-3/off MEDIUM raised r0 58.3 of 10",
  "9 AAPL/T-2/large HIGH withdrawn r1 3300.0 of 1000",
];
const late = [
  "21/0 tumbling-60000 0",
  "21/1 sliding-300000-60000 -240000",
  "21/2 sliding-300000-60000 -180000",
  "21/3 sliding-300000-60000 -120000",
  "21/4 sliding-300000-60000 -60000",
  "21/5 sliding-300000-60000 0",
];

function outputs<T>(driver: PipelineDriver, topic: string): T[] {
  return driver.outputs(topic).map(({ value }) => value as T);
}
const at = (id: string): string => id.replace("market-trades/0/", "");
const step = (id: string): string => at(id).split("/")[0]!;

function expectTheMinute(driver: PipelineDriver): void {
  const fired = outputs<BarRecord>(driver, topics.marketAggregated.name);
  expect(
    fired.map(
      ({ id, operator, window, revision, cause, count, pending, cancelled }) =>
        `${at(id)} ${operator} ${window.start / 1000}..${window.end / 1000} r${revision} ${cause} ` +
        `n=${count} p=${pending} c=${cancelled}`,
    ),
  ).toEqual(bars);
  const ofMinute = fired.filter(({ operator, window }) => operator === "tumbling-60000" && window.start === 600_000);
  for (const [i, bar] of ofMinute.entries()) {
    const { vwap, notional, ...exact } = figures[i]!;
    expect(bar).toMatchObject(exact);
    expect(bar.vwap).toBeCloseTo(vwap, 12);
    expect(bar.notional).toEqual({ ...notional, mean: expect.closeTo(notional.mean, 10) });
  }
  expect(
    outputs<EnrichedRecord>(driver, topics.marketEnriched.name).map(
      ({ id, trade_id, status, quantity, amount, amountUsd, currency, flags, reference: version }) =>
        `${step(id)} ${trade_id} ${status} ${quantity} ${amount} ${amountUsd} ${currency} ${flags.join()} ${version}`,
    ),
  ).toEqual(enriched);
  expect(
    outputs<PositionRecord>(driver, topics.marketPositions.name).map(
      ({ id, account, quantity, notional, trades, revision, timestamp }) =>
        `${step(id)} ${account} ${quantity} ${notional} n=${trades} r${revision} ${timestamp}`,
    ),
  ).toEqual(positions);
  expect(
    outputs<AlertRecord>(driver, topics.marketAlerts.name).map(
      ({ id, alertId, severity, status, revision, figure, limit }) =>
        `${step(id)} ${alertId} ${severity} ${status} r${revision} ${figure!.toFixed(1)} of ${limit}`,
    ),
  ).toEqual(alerts);
  const missed = outputs<MarketLateRecord>(driver, topics.marketLate.name);
  expect(missed.map(({ id, operator, window }) => `${at(id)} ${operator} ${window.start}`)).toEqual(late);
  expect(missed[0]!.trade).toEqual({ trade_id: "T-6", timestamp: 59_999, symbol: "AAPL", price: 1, note: "very late" });
  expect(driver.deadLetters().map(({ code, offset }) => `${offset} ${code}`)).toEqual(["5 identity-reused"]);
}

/** What the market pipeline makes of a minute, in memory and on Kafka, whatever crashes. */
export function marketStories(where: string, create: (factory: MachineFactory) => Promise<PipelineDriver>): void {
  const drivers: PipelineDriver[] = [];
  afterEach(async () => {
    for (const driver of drivers.splice(0)) await driver.close();
  });

  describe(`the market ${where}`, () => {
    test.each<[string, (driver: PipelineDriver, at: number) => Promise<void>]>([
      ["nothing", () => Promise.resolve()],
      [
        "a crash after every step",
        async (driver) => {
          driver.crash();
          await driver.restore();
        },
      ],
      [
        "a snapshot and a crash after every step",
        async (driver) => {
          await driver.snapshot();
          driver.crash();
          await driver.restore();
        },
      ],
      [
        "a snapshot after every third step and a crash after every second",
        async (driver, done) => {
          if (done % 3 === 1) await driver.snapshot();
          if (done % 2 === 1) driver.crash();
          if (done % 2 === 1) await driver.restore();
        },
      ],
    ])("a minute of trades gives what was calculated by hand, with %s in between", async (_what, between) => {
      const driver = await create(market);
      drivers.push(driver);
      for (const [done, run] of minute.entries()) {
        await run(driver);
        await between(driver, done);
      }
      expectTheMinute(driver);
    });
  });
}
