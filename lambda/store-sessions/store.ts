import { collections } from "../../domain/names.ts";
import type { Milliseconds } from "../../domain/time.ts";
import type { SensorDocument, SessionDaysDocument, SessionDocument, SessionListDocument } from "../shared/documents.ts";
import { bulkUpsert } from "../shared/mongo.ts";
import type { Store } from "../shared/runs.ts";
import { sessionUpdates, totalsUpdates, type StampedSession } from "./session-updates.ts";

/**
 * Writes sessions to the collections `sessions`, `session-days`, `session-times` and `sensors`, idempotently and in any
 * order. Lists come behind what they list. Documents expire `keepMs` after their last record.
 */
export async function storeSessions(
  store: Store,
  sessions: readonly StampedSession[],
  keepMs: Milliseconds,
): Promise<void> {
  const updates = sessionUpdates(sessions, keepMs);
  const sensors = store.collection<SensorDocument>(collections.sensors);
  const days = store.collection<SessionListDocument>(collections.sessionDays);
  await bulkUpsert(store.collection<SessionDocument>(collections.sessions), updates.sessions);
  await bulkUpsert(days, updates.sessionDays);
  await bulkUpsert(
    store.collection<SessionListDocument | SessionDaysDocument>(collections.sessionTimes),
    updates.sessionTimes,
  );
  await bulkUpsert(sensors, updates.sensors);
  const touched = updates.sessionDays.map(({ filter }) => filter._id);
  await bulkUpsert(sensors, totalsUpdates(await days.find({ _id: { $in: touched } }).toArray()));
}
