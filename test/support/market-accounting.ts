import type { Kafka } from "kafkajs";
import type { BarRecord, EnrichedRecord, MarketLateRecord } from "../../domain/records.ts";
import { headers as headerNames, topics } from "../../domain/topics.ts";
import type { InputRecord } from "../../processor/runtime/machine.ts";
import type { KindCounts } from "../../simulator/market/report.ts";
import { readTopic } from "./accounting.ts";

/** What the event bus acknowledged, symbol by symbol: the market simulator's report. */
export type AcknowledgedTrades = Readonly<Record<string, KindCounts>>;

/** Every trade that was acknowledged against every record that committed readers see. */
export interface MarketAccounts {
  readonly acknowledged: number;
  /** In the last revisions of the bars of a minute, or late for theirs. */
  readonly accounted: number;
  readonly lost: number;
  /** Records whose id, or whose bar and revision, had been there before; trades that bars count twice. */
  readonly duplicated: number;
  readonly deadLettersExpected: number;
  readonly deadLetters: number;
}

const TUMBLING = "tumbling-60000";
const json = <T>(record: InputRecord): T => JSON.parse(Buffer.from(record.value!).toString("utf8")) as T;

/** Compares what was acknowledged with the outputs in Kafka now. */
export async function settleMarket(kafka: Kafka, acknowledged: AcknowledgedTrades): Promise<MarketAccounts> {
  const all = async (topic: string): Promise<InputRecord[]> => (await readTopic(kafka, topic)).flat();
  const enriched = (await all(topics.marketEnriched.name)).map((one) => json<EnrichedRecord>(one));
  const late = (await all(topics.marketLate.name)).map((one) => json<MarketLateRecord>(one));
  const bars = (await all(topics.marketAggregated.name)).map((one) => json<BarRecord>(one));
  const others = [...(await all(topics.marketPositions.name)), ...(await all(topics.marketAlerts.name))];
  const dead = await all(topics.deadLetter.name);
  const missed = late.filter(({ operator }) => operator === TUMBLING);
  const names = [
    ...enriched.map(({ id }) => `enriched ${id}`),
    ...late.map(({ id }) => `late ${id}`),
    ...bars.map(({ id }) => `bar ${id}`),
    ...bars.map(({ symbol, operator, window, revision }) => `${symbol} ${operator} ${window.start} r${revision}`),
    ...others.map((one) => `${one.partition} ${Buffer.from(one.value!).toString("utf8")}`),
  ];
  // Where each trade was seen first: its bar of a minute has it from there, or it was late for it.
  const first = new Map<string, number>();
  const see = (symbol: string, trade: unknown, offset: number): void => {
    const name = `${symbol}/${String(trade)}`;
    first.set(name, Math.min(first.get(name) ?? Infinity, offset));
  };
  for (const { symbol, trade_id, id } of enriched) see(symbol, trade_id, offsetOf(id));
  for (const { symbol, trade, id } of missed) see(symbol, trade["trade_id"], offsetOf(id));
  const newest = new Map<string, BarRecord>();
  for (const bar of bars.filter(({ operator }) => operator === TUMBLING)) {
    const name = `${bar.symbol} ${bar.window.start}`;
    if ((newest.get(name)?.revision ?? -1) < bar.revision) newest.set(name, bar);
  }
  const counted = new Map<string, number>();
  const add = (symbol: string, trades: number): void => void counted.set(symbol, (counted.get(symbol) ?? 0) + trades);
  for (const { symbol, count, pending, cancelled } of newest.values()) add(symbol, count + pending + cancelled);
  for (const { symbol, trade, id } of missed)
    if (first.get(`${symbol}/${String(trade["trade_id"])}`) === offsetOf(id)) add(symbol, 1);
  const seen = new Map<string, number>();
  for (const name of first.keys()) {
    const symbol = name.slice(0, name.indexOf("/"));
    seen.set(symbol, (seen.get(symbol) ?? 0) + 1);
  }
  const sum = (of: (symbol: string, kinds: KindCounts) => number): number =>
    Object.entries(acknowledged).reduce((total, [symbol, kinds]) => total + of(symbol, kinds), 0);
  const put = ({ trade = 0, late: lates = 0 }: KindCounts): number => trade + lates;
  return {
    acknowledged: sum((_symbol, kinds) => put(kinds)),
    accounted: sum((symbol) => counted.get(symbol) ?? 0),
    // A trade that the bus took without saying so may be there, too.
    lost: sum((symbol, kinds) =>
      Math.max(0, put(kinds) - (seen.get(symbol) ?? 0), (seen.get(symbol) ?? 0) - (counted.get(symbol) ?? 0)),
    ),
    duplicated:
      names.length -
      new Set(names).size +
      sum((symbol) => Math.max(0, (counted.get(symbol) ?? 0) - (seen.get(symbol) ?? 0))),
    deadLettersExpected: sum((_symbol, { corrupt = 0, conflict = 0 }) => corrupt + conflict),
    deadLetters: new Set(
      dead
        .filter(({ headers }) => headers[headerNames.sourceTopic] === topics.trades.name)
        .map(({ headers }) => `${headers[headerNames.sourcePartition]}/${headers[headerNames.sourceOffset]}`),
    ).size,
  };
}

function offsetOf(id: string): number {
  return Number(id.split("/")[2]);
}

/** Whether every trade is accounted for, once. */
export function isMarketSettled({ lost, duplicated, deadLetters, deadLettersExpected }: MarketAccounts): boolean {
  return lost === 0 && duplicated === 0 && deadLetters >= deadLettersExpected;
}
