import type { Collection, Db, Document } from "mongodb";
import { collectionOfRun, collections } from "../../domain/names.ts";
import type {
  SensorDocument,
  SessionDaysDocument,
  SessionDocument,
  SessionListDocument,
  WindowsDocument,
} from "./documents.ts";
import { idOfField } from "./field-names.ts";
import type { DeadLetterDocument, RejectedDocument } from "./letter-documents.ts";
import { readRuns, storeOfRun, type Store } from "./runs.ts";

/**
 * Deletes all that the store has of a sensor, also in the collections of the runs of `backfill`, and gives what it
 * deleted by collection: documents; in `session-times`, whose documents list the sessions of all sensors, entries.
 */
export async function eraseSensor(db: Db, sensorId: string): Promise<Record<string, number>> {
  const { deadLetters, rejected } = collections;
  const erased: Record<string, number> = {
    ...(await eraseFrom(db, sensorId)),
    [deadLetters]: (await db.collection<DeadLetterDocument>(deadLetters).deleteMany({ sensorId })).deletedCount,
    [rejected]: (await db.collection<RejectedDocument>(rejected).deleteOne({ _id: sensorId })).deletedCount,
  };
  for (const run of Object.keys((await readRuns(db)).runs ?? {}))
    for (const [name, count] of Object.entries(await eraseFrom(storeOfRun(db, run), sensorId)))
      erased[collectionOfRun(name, run)] = count;
  return erased;
}

async function eraseFrom(store: Store, sensorId: string): Promise<Record<string, number>> {
  const { windows, sessions, sessionDays, sessionTimes, sensors } = collections;
  return {
    [windows]: await deleteByPrefix(store.collection<WindowsDocument>(windows), `${sensorId}/`),
    [sessions]: await deleteByPrefix(store.collection<SessionDocument>(sessions), `${sensorId}@`),
    [sessionDays]: await deleteByPrefix(store.collection<SessionListDocument>(sessionDays), `${sensorId}/`),
    [sessionTimes]: await deleteEntries(
      store.collection<SessionListDocument | SessionDaysDocument>(sessionTimes),
      `${sensorId}@`,
    ),
    [sensors]: (await store.collection<SensorDocument>(sensors).deleteOne({ _id: sensorId })).deletedCount,
  };
}

/** No id of a sensor has the last character of the prefix, so no other sensor's ids begin with it. */
async function deleteByPrefix<D extends Document & { readonly _id: string }>(
  collection: Collection<D>,
  prefix: string,
): Promise<number> {
  const behind = prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1);
  const { deletedCount } = await (collection as unknown as Collection<{ readonly _id: string }>).deleteMany({
    _id: { $gte: prefix, $lt: behind },
  });
  return deletedCount;
}

async function deleteEntries(
  collection: Collection<SessionListDocument | SessionDaysDocument>,
  prefix: string,
): Promise<number> {
  let deleted = 0;
  for await (const document of collection.find()) {
    const sessions = "sessions" in document ? (document.sessions ?? {}) : {};
    const fields = Object.keys(sessions).filter((field) => idOfField(field).startsWith(prefix));
    if (fields.length === 0) continue;
    const $unset = Object.fromEntries(fields.map((field) => [`sessions.${field}`, "" as const]));
    await collection.updateOne({ _id: document._id }, { $unset });
    deleted += fields.length;
  }
  return deleted;
}
