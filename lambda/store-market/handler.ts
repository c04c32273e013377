import type { Db } from "mongodb";
import { createLogger } from "../../adapters/log.ts";
import { readSettings } from "../../config/settings.ts";
import { collections } from "../../domain/names.ts";
import { outputRecords } from "../../domain/records.ts";
import { DAY, MINUTE } from "../../domain/time.ts";
import { topics } from "../../domain/topics.ts";
import { batchFunction, parseRecords, type KafkaRecord } from "../shared/kafka-event.ts";
import {
  createMarketIndexes,
  type AlertDocument,
  type BarsDocument,
  type PositionsDocument,
  type SymbolDocument,
} from "../shared/market-documents.ts";
import { bulkUpsert, mongoDatabase } from "../shared/mongo.ts";
import { alertUpdates, barUpdates, positionUpdates, symbolUpdates, type SymbolSightings } from "./market-updates.ts";

const settings = readSettings("store", process.env);
const log = createLogger("store-market", settings.logLevel);
/** Time between two deletions of what has expired. Each reads the collections where a server has no index. */
const EXPIRY_INTERVAL_MS = 10 * MINUTE;
/** How long a symbol is listed after its last record. */
const RECENT_SYMBOLS_MS = 30 * DAY;
const withDatabase = mongoDatabase(settings, 5_000, createMarketIndexes);

let expiredAt = -Infinity;

/** Writes the records of one topic. Returns those that can't be read, and what the others say of their symbols. */
type Store = (
  db: Db,
  records: readonly KafkaRecord[],
) => Promise<{ readonly refused: readonly KafkaRecord[]; readonly seen: SymbolSightings }>;

const stores: Readonly<Record<string, Store>> = {
  [topics.marketAggregated.name]: async (db, records) => {
    const { taken, refused } = parseRecords(records, outputRecords.marketAggregated, log);
    const bars = taken.map(({ record, value }) => ({ value, timestamp: record.timestamp }));
    await bulkUpsert(db.collection<BarsDocument>(collections.bars), barUpdates(bars, settings.recentWindowsMs));
    return { refused, seen: { bars } };
  },
  [topics.marketPositions.name]: async (db, records) => {
    const { taken, refused } = parseRecords(records, outputRecords.marketPositions, log);
    const positions = taken.map(({ record, value }) => ({ value, timestamp: record.timestamp }));
    const updates = positionUpdates(positions.map(({ value }) => value));
    await bulkUpsert(db.collection<PositionsDocument>(collections.positions), updates);
    return { refused, seen: { positions } };
  },
  [topics.marketAlerts.name]: async (db, records) => {
    const { taken, refused } = parseRecords(records, outputRecords.marketAlerts, log);
    const alerts = taken.map(({ record, value }) => ({ value, timestamp: record.timestamp }));
    await bulkUpsert(db.collection<AlertDocument>(collections.alerts), alertUpdates(alerts, settings.recentAlertsMs));
    return { refused, seen: { alerts } };
  },
};

/** The market's bars, positions and alerts to MongoDB, idempotently and in any order, and what they say of symbols. */
export const handler = batchFunction(log, (records) => withDatabase((db) => storeAll(db, records)));

async function storeAll(db: Db, records: readonly KafkaRecord[]): Promise<KafkaRecord[]> {
  const refused: KafkaRecord[] = [];
  for (const [topic, ofTopic = []] of Object.entries(Object.groupBy(records, (record) => record.topic))) {
    const store = stores[topic];
    if (!store) throw new Error(`store-market keeps no records of ${topic}`);
    const stored = await store(db, ofTopic);
    refused.push(...stored.refused);
    const updates = symbolUpdates(stored.seen, RECENT_SYMBOLS_MS);
    await bulkUpsert(db.collection<SymbolDocument>(collections.symbols), updates);
  }
  await deleteExpired(db, Date.now());
  return refused;
}

/** The local server has no indexes that expire documents. On other servers the index on `expireAt` does this, too. */
async function deleteExpired(db: Db, nowMs: number): Promise<void> {
  if (nowMs - expiredAt < EXPIRY_INTERVAL_MS) return;
  expiredAt = nowMs;
  for (const name of [collections.bars, collections.alerts, collections.symbols])
    await db
      .collection(name)
      .deleteMany({ expireAt: { $lte: new Date(nowMs) } })
      .catch((error: unknown) => log.warn({ err: error, collection: name }, "what has expired was not deleted"));
}
