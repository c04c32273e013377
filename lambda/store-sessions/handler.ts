import type { Db } from "mongodb";
import { createLogger } from "../../adapters/log.ts";
import { readSettings } from "../../config/settings.ts";
import { collections } from "../../domain/names.ts";
import { sessionRecord } from "../../domain/records.ts";
import { MINUTE } from "../../domain/time.ts";
import {
  createIndexes,
  type SensorDocument,
  type SessionDaysDocument,
  type SessionDocument,
  type SessionListDocument,
} from "../shared/documents.ts";
import { batchFunction, parseRecords } from "../shared/kafka-event.ts";
import { bulkUpsert, mongoDatabase } from "../shared/mongo.ts";
import { letSessionsGo } from "./let-go.ts";
import { sessionUpdates, totalsUpdates } from "./session-updates.ts";

const settings = readSettings("store", process.env);
const log = createLogger("store-sessions", settings.logLevel);
/** Time between two looks at the number of sessions. */
const LET_GO_INTERVAL_MS = MINUTE;
const withDatabase = mongoDatabase(settings, 5_000, createIndexes);

let lookedAt = -Infinity;

/**
 * `new-session-topic` to MongoDB, idempotently: to the collections `sessions`, `session-days`, `session-times` and
 * `sensors`. Lists come behind what they list.
 */
export const handler = batchFunction(log, async (records) => {
  const { taken, refused } = parseRecords(records, sessionRecord, log);
  const stamped = taken.map(({ record, value }) => ({ session: value, timestamp: record.timestamp }));
  const updates = sessionUpdates(stamped, settings.recentSessionsMs);
  await withDatabase(async (db) => {
    const sensors = db.collection<SensorDocument>(collections.sensors);
    const days = db.collection<SessionListDocument>(collections.sessionDays);
    await bulkUpsert(db.collection<SessionDocument>(collections.sessions), updates.sessions);
    await bulkUpsert(days, updates.sessionDays);
    await bulkUpsert(
      db.collection<SessionListDocument | SessionDaysDocument>(collections.sessionTimes),
      updates.sessionTimes,
    );
    await bulkUpsert(sensors, updates.sensors);
    const touched = updates.sessionDays.map(({ filter }) => filter._id);
    await bulkUpsert(sensors, totalsUpdates(await days.find({ _id: { $in: touched } }).toArray()));
    await letGo(db, Date.now());
  });
  return refused;
});

async function letGo(db: Db, now: number): Promise<void> {
  if (settings.maxSessions === 0 || now - lookedAt < LET_GO_INTERVAL_MS) return;
  lookedAt = now;
  try {
    await letSessionsGo(db, settings.maxSessions);
  } catch (error) {
    log.warn({ err: error }, "sessions over the bound were not deleted");
  }
}
