import type { Db } from "mongodb";
import { createLogger } from "../../adapters/log.ts";
import { readSettings } from "../../config/settings.ts";
import { collections } from "../../domain/names.ts";
import { windowRecord } from "../../domain/records.ts";
import { MINUTE } from "../../domain/time.ts";
import { createIndexes, type SensorDocument, type WindowDocument } from "../shared/documents.ts";
import { batchFunction, parseRecords } from "../shared/kafka-event.ts";
import { bulkInsertOrUpdate, bulkUpsert, mongoDatabase } from "../shared/mongo.ts";
import { sensorUpdates } from "../shared/sensor-updates.ts";
import { sightingOf, windowUpdates } from "./window-updates.ts";

const settings = readSettings("store", process.env);
const log = createLogger("store-windows", settings.logLevel);
/** Time between two deletions of expired windows. */
const EXPIRY_INTERVAL_MS = MINUTE;
const database = mongoDatabase(settings, 5_000, createIndexes);

let expiredAt = -Infinity;

/** `sensor-data-aggregated` to MongoDB, idempotently: to the collections `windows` and `sensors`. */
export const handler = batchFunction(log, async (records) => {
  const { taken, refused } = parseRecords(records, windowRecord, log);
  const windows = taken.map(({ record, value }) => ({
    window: value,
    timestamp: record.timestamp,
  }));
  const db = await database();
  await bulkInsertOrUpdate(
    db.collection<WindowDocument>(collections.windows),
    windowUpdates(windows, settings.recentWindowsMs),
  );
  await bulkUpsert(db.collection<SensorDocument>(collections.sensors), sensorUpdates(windows.map(sightingOf)));
  await deleteExpired(db, Date.now());
  return refused;
});

/** The local server has no indexes that expire documents. On other servers the index on `expireAt` does this, too. */
async function deleteExpired(db: Db, nowMs: number): Promise<void> {
  if (nowMs - expiredAt < EXPIRY_INTERVAL_MS) return;
  expiredAt = nowMs;
  await db
    .collection<WindowDocument>(collections.windows)
    .deleteMany({ expireAt: { $lte: new Date(nowMs) } })
    .catch((error: unknown) => log.warn({ err: error }, "expired windows were not deleted"));
}
