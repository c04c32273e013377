import { createLogger } from "../../adapters/log.ts";
import { readSettings } from "../../config/settings.ts";
import { collections } from "../../domain/names.ts";
import { windowRecord } from "../../domain/records.ts";
import { createIndexes, type SensorDocument, type WindowDocument } from "../shared/documents.ts";
import { batchFunction, parseRecords } from "../shared/kafka-event.ts";
import { bulkUpsert, mongoDatabase } from "../shared/mongo.ts";
import { sensorUpdates } from "../shared/sensor-updates.ts";
import { sightingOf, windowUpdates } from "./window-updates.ts";

const settings = readSettings("store", process.env);
const log = createLogger("store-windows", settings.logLevel);
const database = mongoDatabase(settings, 5_000, createIndexes);

/** Window records to MongoDB, idempotently: `sensor-data-aggregated` to the collections `windows` and `sensors`. */
export const handler = batchFunction(log, async (records) => {
  const windows = parseRecords(records, windowRecord, log).map(({ record, value }) => ({ window: value, timestamp: record.timestamp }));
  const db = await database();
  await bulkUpsert(db.collection<WindowDocument>(collections.windows), windowUpdates(windows, settings.recentWindowsMs));
  await bulkUpsert(db.collection<SensorDocument>(collections.sensors), sensorUpdates(windows.map(sightingOf)));
  return [];
});
