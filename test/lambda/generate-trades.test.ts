import { describe, expect, test } from "@jest/globals";
import { asksToGenerate, generatedTrades } from "../../lambda/produce-trades/generate.ts";

/** As EventBridge makes it. */
const scheduled = {
  version: "0",
  id: "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa",
  "detail-type": "Scheduled Event",
  source: "aws.events",
  account: "123456789012",
  time: "2026-01-13T14:31:02Z",
  region: "us-east-1",
  resources: ["arn:aws:events:us-east-1:123456789012:rule/my-scheduled-rule"],
  detail: {},
};

describe("an event of a schedule", () => {
  test("is told from one of a queue", () => {
    expect(asksToGenerate(scheduled)).toBe(true);
    expect(asksToGenerate({ generate: { symbols: 3 } })).toBe(true);
    expect(asksToGenerate({ Records: [] })).toBe(false);
  });

  test("gives the trades of the minute before, the same at each delivery", () => {
    const trades = generatedTrades(scheduled, 0);
    expect(trades.every(({ timestamp }) => timestamp.startsWith("2026-01-13T14:30:"))).toBe(true);
    // Five a second: a Poisson count of 300, of which six standard deviations are 104.
    expect(Math.abs(trades.length - 300)).toBeLessThan(104);
    expect(new Set(trades.map(({ symbol }) => symbol)).size).toBe(20);
    expect(new Set(trades.map(({ trade_id: id }) => id)).size).toBe(trades.length);
    expect(generatedTrades(scheduled, 5)).toEqual(trades);
  });

  test("gives other trades, under other ids, in another minute and from another seed", () => {
    const at = (time: string, seed: number) => generatedTrades({ generate: { symbols: 2, rate: 1, seed }, time }, 0);
    const ids = [at("2026-01-13T14:31:00Z", 1), at("2026-01-13T14:32:00Z", 1), at("2026-01-13T14:31:00Z", 2)].map(
      (trades) => trades.map(({ trade_id: id }) => id),
    );
    expect(new Set(ids.flat()).size).toBe(ids.flat().length);
  });

  test("without a time is of now", () => {
    const [first] = generatedTrades({ generate: {} }, Date.parse("2026-01-13T00:00:30Z"));
    expect(first!.timestamp).toMatch(/^2026-01-12T23:59:/);
  });

  test.each([{ symbols: 0 }, { rate: 1_001 }, { symbol: 5 }])("that asks for something else fails: %j", (generate) => {
    expect(() => generatedTrades({ generate }, 0)).toThrow();
  });
});
