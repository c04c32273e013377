import type { Kafka } from "kafkajs";
import { referenceHeaders } from "../domain/reference.ts";
import { controlTypes, headers, topics } from "../domain/topics.ts";
import { FILL_START } from "./load.ts";

/** The input of the market's benchmark: executed trades in USD and EUR, with account and side. */
export interface MarketLoad {
  readonly symbols: number;
  /** Number of trades in total. The symbols take turns. */
  readonly trades: number;
  readonly partitions: number;
}

/** Event time between two trades, ms: some 170 of each symbol in a minute. */
const SPACING_MS = 1.75;
const ACCOUNTS = 50;
const BATCH = 5_000;

const reference = {
  version: "bench",
  rates: { EUR: 1.1 },
  flags: { S0: ["first"] },
  rules: [
    { name: "restricted", severity: "CRITICAL", kind: "restricted-symbol", symbols: ["S1"] },
    { name: "large", severity: "HIGH", kind: "trade-amount", maxUsd: 99_000 },
    { name: "off", severity: "MEDIUM", kind: "price-deviation", maxPercent: 95 },
    { name: "often", severity: "LOW", kind: "account-rate", maxTrades: 20 },
  ],
};

/** Trade `n`: the same in every run. */
function trade(n: number, round: number, symbol: string, timestamp: number): string {
  const noise = (Math.imul(n, 2_654_435_761) >>> 0) / 2 ** 32;
  const price = Math.round(10_000 + noise * 5_000) / 100;
  const account = `ACC-${round % ACCOUNTS}`;
  const [currency, side] = [n % 4 === 0 ? "EUR" : "USD", n % 3 === 0 ? "sell" : "buy"];
  return (
    `{"trade_id":"TRX-${n}","timestamp":${timestamp},"symbol":"${symbol}","price":${price},` +
    `"quantity":${1 + (n % 100)},"currency":"${currency}","side":"${side}","account":"${account}","status":"executed"}`
  );
}

/**
 * Fills the market's topic: reference data first, then trades. The last trade of each symbol lies twenty minutes behind
 * the others, so that all bars before it fire.
 *
 * @returns Number of trades
 */
export async function fillMarket(kafka: Kafka, { symbols, trades, partitions }: MarketLoad): Promise<number> {
  const producer = kafka.producer();
  await producer.connect();
  const control = {
    [headers.type]: controlTypes.reference,
    [referenceHeaders.version]: reference.version,
    [referenceHeaders.part]: "0",
    [referenceHeaders.parts]: "1",
    [referenceHeaders.text]: JSON.stringify(reference),
  };
  const topic = topics.trades.name;
  await producer.send({
    topic,
    messages: Array.from({ length: partitions }, (_, partition) => ({
      key: null,
      value: null,
      headers: control,
      partition,
    })),
  });
  const rounds = Math.floor(trades / symbols);
  let batch: { key: string; value: string; partition: number }[] = [];
  for (let n = 0; n < (rounds + 1) * symbols; n++) {
    const symbol = n % symbols;
    const timestamp = FILL_START + Math.floor(n * SPACING_MS) + (n < rounds * symbols ? 0 : 1_200_000);
    batch.push({
      key: `S${symbol}`,
      value: trade(n, Math.floor(n / symbols), `S${symbol}`, timestamp),
      partition: symbol % partitions,
    });
    if (batch.length === BATCH) {
      await producer.send({ topic, messages: batch, acks: 1 });
      batch = [];
    }
  }
  if (batch.length > 0) await producer.send({ topic, messages: batch, acks: 1 });
  await producer.disconnect();
  return (rounds + 1) * symbols;
}
