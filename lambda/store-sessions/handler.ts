import { createLogger } from "../../adapters/log.ts";
import { readSettings } from "../../config/settings.ts";
import { collections } from "../../domain/names.ts";
import { sessionRecord } from "../../domain/records.ts";
import { createIndexes, type SensorDocument, type SessionDocument } from "../shared/documents.ts";
import { batchFunction, parseRecords } from "../shared/kafka-event.ts";
import { bulkInsertOrUpdate, bulkUpsert, mongoDatabase } from "../shared/mongo.ts";
import { sensorUpdates } from "../shared/sensor-updates.ts";
import { sessionUpdates, sightingOf, supersededBy } from "./session-updates.ts";

const settings = readSettings("store", process.env);
const log = createLogger("store-sessions", settings.logLevel);
const database = mongoDatabase(settings, 5_000, createIndexes);

/** `new-session-topic` to MongoDB, idempotently: to the collections `sessions` and `sensors`. */
export const handler = batchFunction(log, async (records) => {
  const { taken, refused } = parseRecords(records, sessionRecord, log);
  const sessions = taken.map(({ value }) => value);
  const db = await database();
  const collection = db.collection<SessionDocument>(collections.sessions);
  await bulkInsertOrUpdate(collection, sessionUpdates(sessions));
  await bulkUpsert(collection, supersededBy(sessions));
  await bulkUpsert(db.collection<SensorDocument>(collections.sensors), sensorUpdates(sessions.map(sightingOf)));
  return refused;
});
