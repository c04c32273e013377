import { createLogger } from "../../adapters/log.ts";
import { readSettings } from "../../config/settings.ts";
import { sessionRecord } from "../../domain/records.ts";
import { MINUTE } from "../../domain/time.ts";
import { createIndexes } from "../shared/documents.ts";
import { batchFunction, parseRecords } from "../shared/kafka-event.ts";
import { mongoDatabase } from "../shared/mongo.ts";
import { followersOf, watchRuns, type Store } from "../shared/runs.ts";
import { letSessionsGo } from "./let-go.ts";
import { storeSessions } from "./store.ts";

const settings = readSettings("store", process.env);
const log = createLogger("store-sessions", settings.logLevel);
/** Time between two looks at the number of sessions. */
const LET_GO_INTERVAL_MS = MINUTE;
const withDatabase = mongoDatabase(settings, 5_000, createIndexes);
const runsOf = watchRuns();

let lookedAt = -Infinity;

/**
 * `new-session-topic` to MongoDB, idempotently: to the collections `sessions`, `session-days`, `session-times` and
 * `sensors`, and to those of the runs of `backfill`.
 */
export const handler = batchFunction(log, async (records) => {
  const { taken, refused } = parseRecords(records, sessionRecord, log);
  const sessions = taken.map(({ record, value }) => ({ session: value, timestamp: record.timestamp }));
  await withDatabase(async (db) => {
    const followers = followersOf(db, await runsOf(db));
    await storeSessions(db, sessions, settings.recentSessionsMs);
    for (const { store, isBehind } of followers)
      await storeSessions(
        store,
        sessions.filter(({ session }) => isBehind(session.id)),
        settings.recentSessionsMs,
      );
    await letGo([db, ...followers.map(({ store }) => store)], Date.now());
  });
  return refused;
});

async function letGo(stores: readonly Store[], now: number): Promise<void> {
  if (settings.maxSessions === 0 || now - lookedAt < LET_GO_INTERVAL_MS) return;
  lookedAt = now;
  try {
    for (const store of stores) await letSessionsGo(store, settings.maxSessions);
  } catch (error) {
    log.warn({ err: error }, "sessions over the bound were not deleted");
  }
}
