import type { Db } from "mongodb";
import { createLogger } from "../../adapters/log.ts";
import { readSettings } from "../../config/settings.ts";
import { collections } from "../../domain/names.ts";
import { windowRecord } from "../../domain/records.ts";
import { MINUTE } from "../../domain/time.ts";
import { createIndexes, type NewestDocument, type SensorDocument, type WindowsDocument } from "../shared/documents.ts";
import { batchFunction, parseRecords } from "../shared/kafka-event.ts";
import { bulkUpsert, mongoDatabase } from "../shared/mongo.ts";
import { letSensorsGo, letWindowsGo } from "./let-go.ts";
import { newestUpdates, sensorUpdates, windowUpdates, type Kept } from "./window-updates.ts";

const settings = readSettings("store", process.env);
const log = createLogger("store-windows", settings.logLevel);
const kept: Kept = { windowsMs: settings.recentWindowsMs, sensorsMs: settings.recentSessionsMs };
/** Time between two looks for what has expired. Each reads the documents of all sensors. */
const LET_GO_INTERVAL_MS = 10 * MINUTE;
const withDatabase = mongoDatabase(settings, 5_000, createIndexes);

let lookedAt = -Infinity;

/** `sensor-data-aggregated` to MongoDB, idempotently: to the collections `windows`, `sensors` and `newest`. */
export const handler = batchFunction(log, async (records) => {
  const { taken, refused } = parseRecords(records, windowRecord, log);
  const windows = taken.map(({ record, value }) => ({ window: value, timestamp: record.timestamp }));
  await withDatabase(async (db) => {
    await bulkUpsert(db.collection<WindowsDocument>(collections.windows), windowUpdates(windows, kept));
    await bulkUpsert(db.collection<SensorDocument>(collections.sensors), sensorUpdates(windows, kept));
    await bulkUpsert(db.collection<NewestDocument>(collections.newest), newestUpdates(windows));
    await letGo(db, Date.now());
  });
  return refused;
});

async function letGo(db: Db, now: number): Promise<void> {
  if (now - lookedAt < LET_GO_INTERVAL_MS) return;
  lookedAt = now;
  try {
    await letWindowsGo(db, now);
    if (settings.maxSensors > 0) await letSensorsGo(db, settings.maxSensors);
  } catch (error) {
    log.warn({ err: error }, "expired windows and sensors were not deleted");
  }
}
